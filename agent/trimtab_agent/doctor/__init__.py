"""``trimtab-agent doctor``: what can be measured here, at what cost, and what disturbs it now."""
