"""Weights held in common: palettes of values, layers with one set of weights."""
