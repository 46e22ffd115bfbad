"""Floor 5: the public test kit, for this project's own tests and for those of programs built on it."""
