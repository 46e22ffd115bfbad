"""Connection ids (BEP 15): who has one receives what is sent to the address that it claims.

An id is a keyed hash of the address and the time, and a byte of that time: nothing has to be remembered to check it.
Without it a tracker would send large answers to whoever is named as the sender of a small question.
"""

from hashlib import blake2b
from typing import Final

SLOT_SECONDS: Final = 10
VALID_SECONDS: Final = 120
"""An id is taken for so long, and up to a slot longer; clients use theirs for a minute (BEP 15)."""

_SLOTS = VALID_SECONDS // SLOT_SECONDS
_CACHED = 1 << 16


class ConnectionIds:
    """Gives and checks ids.

    Args:
        key: 16 to 64 random bytes that nobody else knows.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._slot = -1
        self._good: set[bytes] = set()  # address and id, for this slot: a lookup is cheaper than a hash

    def give(self, host: bytes, now: float) -> bytes:
        """The id, 8 bytes, for whom packed address `host` (without port) names."""
        slot = self._turn(now)
        connection = self._hash(host, slot)
        self._keep(host + connection)
        return connection

    def valid(self, connection: bytes, host: bytes, now: float) -> bool:
        """Whether `connection` was given to `host` within the last two minutes."""
        slot = self._turn(now)
        both = host + connection
        if both in self._good:
            return True
        age = (slot - connection[-1]) & 0xFF
        if age > _SLOTS or connection != self._hash(host, slot - age):
            return False
        if age < _SLOTS:  # else it would be taken for a slot too long
            self._keep(both)
        return True

    def _turn(self, now: float) -> int:
        slot = int(now) // SLOT_SECONDS
        if slot != self._slot:
            self._slot = slot
            self._good.clear()
        return slot

    def _keep(self, both: bytes) -> None:
        if len(self._good) >= _CACHED:
            self._good.clear()
        self._good.add(both)

    def _hash(self, host: bytes, slot: int) -> bytes:
        data = slot.to_bytes(8, signed=True) + host
        return blake2b(data, digest_size=7, key=self._key).digest() + bytes((slot & 0xFF,))
