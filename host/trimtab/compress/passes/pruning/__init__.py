"""Structured pruning: channels, neurons and attention heads are taken out of the model."""
