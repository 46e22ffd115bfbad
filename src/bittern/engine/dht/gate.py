"""How much strangers may make us do and send: nobody gets more than a share, and no forged address gets much."""

from dataclasses import dataclass
from math import inf
from typing import Final

from bittern.base.address import Address
from bittern.base.rate import TokenBucket

from .places import owner_of

PER_SECOND: Final = 5.0
"""Queries a second that one owner of an address may make for long."""
BURST: Final = 50.0
"""Queries that it may make at once."""
BLOCK_SECONDS: Final = 300.0
"""How long who made more is not answered at all."""
PROOF_SECONDS: Final = 600.0
"""How long an address counts as true after a reply came from it."""
AMPLIFICATION: Final = 3
"""An unproven address gets no more than so many times the bytes that came from it."""
_REMEMBERED: Final = 4096


@dataclass(slots=True)
class _Asker:
    left: float
    at: float
    blocked_until: float = -inf


class Gate:
    """Decides which queries are answered.

    Args:
        reply_rate: bytes per second of all replies together.
    """

    def __init__(self, reply_rate: float) -> None:
        self._bucket = TokenBucket(reply_rate, burst_seconds=2.0)
        self._askers: dict[str, _Asker] = {}
        self._proven: dict[Address, float] = {}

    def admits(self, address: Address, now: float) -> bool:
        """Whether a query from `address` is looked at."""
        owner = owner_of(address)
        asker = self._askers.get(owner)
        if asker is None:
            if len(self._askers) >= _REMEMBERED:
                del self._askers[next(iter(self._askers))]
            asker = self._askers[owner] = _Asker(BURST, now)
        asker.left = min(BURST, asker.left + (now - asker.at) * PER_SECOND)
        asker.at = now
        if now >= asker.blocked_until:
            asker.left -= 1
            if asker.left >= 0:
                if self._bucket.available(now) > 0:
                    return True
            else:
                asker.blocked_until = now + BLOCK_SECONDS
        return False

    def sent(self, count: int) -> None:
        """A reply of `count` bytes goes out."""
        self._bucket.take(count)

    def prove(self, address: Address, now: float) -> None:
        """`address` answered a question that only it had seen."""
        if self._proven.pop(address, None) is None and len(self._proven) >= _REMEMBERED:
            del self._proven[next(iter(self._proven))]
        self._proven[address] = now + PROOF_SECONDS

    def allowance(self, address: Address, asked: int, now: float) -> float:
        """Bytes that a query of `asked` bytes may be answered with."""
        return inf if self._proven.get(address, -inf) > now else asked * AMPLIFICATION
