"""Keys and tokens: where they come from, and texts without them."""
