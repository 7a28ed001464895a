"""Weights set to zero: the tensors keep their shapes."""
