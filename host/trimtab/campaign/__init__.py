"""Runs the chain from variants to a decision over several devices at once."""
