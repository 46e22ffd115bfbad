"""What a tracker knows of itself: for its pages, summed over its workers."""

from collections.abc import Iterable
from dataclasses import astuple
from struct import Struct
from typing import NamedTuple, Self

from .counters import Counters, Traffic
from .registry import Registry, Totals

_TRAFFIC = 5
_STRUCT = Struct(f">{len(Totals._fields) + 2 * _TRAFFIC}Q")


class Figures(NamedTuple):
    """One look at a tracker."""

    totals: Totals
    udp: Traffic
    http: Traffic

    @classmethod
    def of(cls, registry: Registry, counters: Counters) -> Self:
        """What they are now."""
        return cls(registry.totals(), counters.udp, counters.http)

    @classmethod
    def sum(cls, each: Iterable[Self]) -> Self:
        """Those of several workers, of which none has the same swarms as another."""
        return cls._of([sum(column) for column in zip(*(one.numbers() for one in each), strict=True)])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` made."""
        return cls._of(_STRUCT.unpack(data))

    def encode(self) -> bytes:
        """For another worker."""
        return _STRUCT.pack(*self.numbers())

    def numbers(self) -> tuple[int, ...]:
        """All of them, in the order of the fields."""
        return (*self.totals, *astuple(self.udp), *astuple(self.http))

    @classmethod
    def _of(cls, numbers: Iterable[int]) -> Self:
        each = list(numbers)
        size = len(Totals._fields)
        udp, http = each[size : size + _TRAFFIC], each[size + _TRAFFIC :]
        return cls(Totals(*each[:size]), Traffic(*udp), Traffic(*http))
