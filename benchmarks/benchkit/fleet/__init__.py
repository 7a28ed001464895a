"""Many real agents on this machine, one host process that measures on them, and what that costs."""
