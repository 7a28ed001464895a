"""From results, limits and an objective to the variant for each device, and why not the others."""
