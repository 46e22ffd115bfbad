"""Where payload lies between its arrival and the end of the turn.

One piece of memory for all connections of a port, used again in each turn: the first touch of fresh memory costs more
than copying into some that is warm (docs/adr/0050-utp-in-batches.md). HOT: bench/transfer.py
"""

from .packet import HEAD

SLAB = 1 << 20
"""Bytes: about what is read in a turn; what does not fit is kept elsewhere."""


class Slab:
    """Takes what comes, one after the other, until it is emptied."""

    __slots__ = ("_filled", "_memory")

    def __init__(self) -> None:
        self._memory: memoryview | None = None
        self._filled = 0

    def put(self, data: memoryview) -> int | None:
        """Copy `data`; where it lies, or None when there is no room."""
        memory = self._memory
        if memory is None:
            memory = self._memory = memoryview(bytearray(SLAB))
        start = self._filled
        end = start + len(data)
        if end > SLAB:
            return None
        memory[start:end] = data
        self._filled = end
        return start

    def put_row(self, data: memoryview, segment: int) -> int | None:
        """Copy the payload of a row of packets of `segment` bytes each (see `bursts.row`), as `put`."""
        memory = self._memory
        if memory is None:
            memory = self._memory = memoryview(bytearray(SLAB))
        start = at = self._filled
        if start + len(data) > SLAB:
            return None
        size = segment - HEAD
        last = (len(data) - 1) // segment * segment
        for source in range(HEAD, last, segment):
            memory[at : at + size] = data[source : source + size]
            at += size
        rest = len(data) - last - HEAD
        memory[at : at + rest] = data[last + HEAD :]
        self._filled = at + rest
        return start

    def view(self, start: int, end: int) -> memoryview:
        """What was put there."""
        assert self._memory is not None
        return self._memory[start:end]

    def empty(self) -> None:
        """Nothing in it is needed any more."""
        self._filled = 0
