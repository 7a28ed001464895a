"""What the device can sense: one module a sensor family, found by entry point."""
