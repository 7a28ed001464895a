"""Trimtab: compress a model, measure every variant on the real devices, choose what to ship."""

import logging
import os

__version__ = "0.1.0"

# Without a log file nothing is logged: Python would print warnings beside what is said already.
logging.getLogger(__name__).addHandler(logging.NullHandler())

# ONNX Runtime 1.32 tells its maker what it is used for; it looks here when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
