"""Quantization: of exported files by scheme, of the model in training, and of chosen layers."""
