"""Counting without telling who: the filters of BEP 33, of 2048 bits with two for each address."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha1
from ipaddress import ip_address
from math import log
from typing import Final

from bittern.wire.krpc import FILTER_BYTES

_BITS: Final = FILTER_BYTES * 8


@lru_cache(1024)
def _bits_of(host: str) -> int:
    digest = sha1(ip_address(host).packed, usedforsecurity=False).digest()
    first, second = (digest[at] | digest[at + 1] << 8 for at in (0, 2))
    return 1 << first % _BITS | 1 << second % _BITS


class Filter:
    """A set of IP addresses that can be joined with others and counted, not listed.

    Args:
        hosts: addresses to begin with.
        bits: what was inserted before.
    """

    __slots__ = ("_bits",)

    def __init__(self, hosts: Iterable[str] = (), bits: int = 0) -> None:
        self._bits = bits
        for host in hosts:
            self.add(host)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Filter":
        """The filter that 256 bytes are."""
        return cls(bits=int.from_bytes(data, "little"))

    def add(self, host: str) -> None:
        """Insert an address; ports do not count."""
        self._bits |= _bits_of(host)

    def join(self, other: "Filter") -> None:
        """Insert all that is in `other`."""
        self._bits |= int.from_bytes(bytes(other), "little")

    def count(self) -> float:
        """About how many addresses were inserted; from about 6000 on it is anything."""
        zeros = min(_BITS - 1, _BITS - self._bits.bit_count())
        return log(max(zeros, 1) / _BITS) / (2 * log(1 - 1 / _BITS))

    def estimate(self) -> int:
        """`count` as a whole number; an empty filter, which counts half an address, has nobody in it."""
        return max(1, round(self.count())) if self._bits else 0

    def __contains__(self, host: str) -> bool:
        bits = _bits_of(host)
        return self._bits & bits == bits

    def __bytes__(self) -> bytes:
        return self._bits.to_bytes(FILTER_BYTES, "little")
