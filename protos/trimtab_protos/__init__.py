"""The contract between the Trimtab host and its agents."""

__version__ = "0.1.0"
