"""How we look at what was answered."""
