"""Trimtab: compress a model, measure every variant on the real devices, choose what to ship."""

import logging

__version__ = "0.1.0"

# Without a log file nothing is logged: Python would print warnings beside what is said already.
logging.getLogger(__name__).addHandler(logging.NullHandler())
