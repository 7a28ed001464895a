"""Tables, files and pages of what was measured and decided."""
