"""Trimtab: compress a model, measure every variant on the real devices, choose what to ship."""

__version__ = "0.1.0"
