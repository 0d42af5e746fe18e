"""A load in numbers, whether it can be believed, and what is shown of it."""
