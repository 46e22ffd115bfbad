"""Files: reading, writing and hashing them."""
