"""The child process that loads one model and is timed; nothing else runs in it."""
