"""Routers of the real world: where they are, and what is said to them."""
