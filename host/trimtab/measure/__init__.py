"""From raw samples and outputs to figures that say how they came about."""
