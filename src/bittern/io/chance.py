"""Randomness of the real world: one seed per process, an own named stream for each part that draws."""

import secrets
from hashlib import sha256
from random import Random


class SeededChance:
    """See ports.Chance.

    Args:
        seed: makes everything but `entropy` repeatable; None draws one.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed if seed is not None else secrets.randbits(64)

    def rng_for(self, part: str, key: bytes = b"") -> Random:
        """See ports.Chance."""
        name = b"%d/%s/%s" % (self.seed, part.encode(), key)
        return Random(int.from_bytes(sha256(name).digest()[:16]))  # noqa: S311 - choices of pieces and peers, no keys

    def entropy(self, count: int) -> bytes:
        """See ports.Chance."""
        return secrets.token_bytes(count)
