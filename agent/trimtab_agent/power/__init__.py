"""What a device draws while it measures: which sensors are read, how often, and by whom."""
