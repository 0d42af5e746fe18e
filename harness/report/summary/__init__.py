"""A run in numbers, and what is shown of it."""
