"""What a model does without: layers that change nothing, and blocks that change little."""
