"""Students that learn from the float model."""
