"""The buffer that all encrypted streams of one event loop encrypt into (HOT: bench/transfer)."""

from collections.abc import Iterable
from typing import Final, Protocol

from bittern.wire.stream import Buffer

SIZE: Final = 1 << 18
"""Bytes: they stay in a processor's cache until they are sent."""


class Holder(Protocol):
    """Who has bytes in the slab that did not go."""

    def keep(self) -> None:
        """Copy them: the slab is needed."""
        ...


class Slab:
    """One buffer, lent to the stream that sends.

    What is encrypted cannot be encrypted anew, so what the system does not take has to be kept. Mostly it takes
    everything; else who did not get rid of it moves out when another wants to send.
    """

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(SIZE))
        self._holder: Holder | None = None

    def lend(self, holder: Holder) -> memoryview:
        """The slab, all of it."""
        if self._holder is not None and self._holder is not holder:
            self._holder.keep()
        self._holder = holder
        return self.memory

    def back(self) -> None:
        """The holder needs it no more."""
        self._holder = None


def gather(parts: Iterable[Buffer], into: memoryview, most: int) -> int:
    """Copy at most `most` bytes of `parts` to the start of `into`; how many."""
    at = 0
    for part in parts:
        end = at + len(part)
        if end > most:
            into[at:most] = part[: most - at]
            return most
        into[at:end] = part
        at = end
    return at
