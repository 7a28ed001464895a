"""What executes an artifact: one module a runtime, found by entry point."""
