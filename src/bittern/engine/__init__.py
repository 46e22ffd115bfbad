"""Floor 3: the swarm logic. Calls go in with now, decisions come out as data."""
