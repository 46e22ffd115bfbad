"""Floor 0: the vocabulary every other floor speaks. Nothing here does I/O or keeps time."""
