"""From a task and recipes to compressed models: passes, and the cache of what they made."""
