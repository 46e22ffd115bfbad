"""Reused buffers for blocks on their way to or from the disk: few, warm, and sliced into blocks once."""

from bittern.base.geometry import BLOCK


class Slab:
    """A buffer of a fixed size with a view for each block in it."""

    __slots__ = ("blocks", "memory")

    def __init__(self, size: int) -> None:
        self.memory = memoryview(bytearray(size))
        self.blocks = [self.memory[at : at + BLOCK] for at in range(0, size, BLOCK)]


class SlabPool:
    """At most `limit` slabs of `size` bytes; those given back last are handed out first, while they are warm."""

    def __init__(self, size: int, limit: int, keep_bytes: int = 16 << 20) -> None:
        self.size = size
        self._limit = limit
        self._keep = keep_bytes // size
        self._free: list[Slab] = []
        self.used = 0
        """Slabs that are out."""

    @property
    def exhausted(self) -> bool:
        """Whether `take` would give nothing."""
        return self.used >= self._limit

    def take(self) -> Slab | None:
        """A slab with whatever is in it, or None at the limit."""
        if self.used >= self._limit:
            return None
        self.used += 1
        return self._free.pop() if self._free else Slab(self.size)

    def give(self, slab: Slab) -> None:
        """Take a slab back."""
        self.used -= 1
        if len(self._free) < self._keep:
            self._free.append(slab)
