"""External power meters that hang on this machine, off unless the owner names them in a file."""
