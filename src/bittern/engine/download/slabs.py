"""Reused buffers for blocks on their way to or from the disk: few, warm, and sliced into blocks once.

Each torrent has a pool with a limit of its own; the pools of a core share one memory with a limit for all of them.
Nobody reserves anything, so that one torrent alone may use what it can, and still each newcomer finds room: a pool
may grow while it holds no more than is free then. With n pools that all want more, each ends at 1 / (n + 1) of it.
"""

from collections.abc import Callable
from math import inf
from typing import Protocol

from bittern.base.geometry import BLOCK


class Slab:
    """A buffer of a fixed size with a view for each block in it."""

    __slots__ = ("blocks", "memory")

    def __init__(self, size: int) -> None:
        self.memory = memoryview(bytearray(size))
        self.blocks = [self.memory[at : at + BLOCK] for at in range(0, size, BLOCK)]


class Holder(Protocol):
    """Who uses a pool, and may have to make room for others."""

    asked: int
    """Blocks that are on their way into its slabs."""

    def evict(self) -> bool:
        """Give a slab back that waits for nobody; False when there is none."""
        ...


class Memory:
    """What pools may use together.

    Args:
        limit: bytes of slabs that are out; one slab may always be, or nothing would ever move.
        keep_bytes: idle slabs to be kept for the next who needs one of their size.

    Attributes:
        used: bytes of slabs that are out.
        idle: those that are kept, by their size.
        idle_bytes: of them.
        waiting: pools that would take a slab if there was one.
        freed: whether a slab came back since somebody was last looked for who waits for it.
    """

    def __init__(self, limit: float = inf, keep_bytes: int = 16 << 20) -> None:
        self.limit = limit
        self.keep = keep_bytes
        self.used = 0
        self.idle: dict[int, list[Slab]] = {}
        self.idle_bytes = 0
        self.waiting: dict[SlabPool, None] = {}
        self.freed = False
        self._pools: dict[SlabPool, tuple[Holder, Callable[[], None]]] = {}

    @property
    def stirred(self) -> bool:
        """Whether `wake` may have somebody to wake."""
        return self.freed and bool(self.waiting)

    def enter(self, pool: "SlabPool", holder: Holder, wake: Callable[[], None]) -> None:
        """`holder` uses `pool` from now on; `wake` is called when it waits and may have a slab."""
        self._pools[pool] = (holder, wake)

    def leave(self, pool: "SlabPool") -> None:
        """Its slabs count no more, wherever they are."""
        self._pools.pop(pool, None)
        self.waiting.pop(pool, None)
        self.used -= pool.held
        self.freed = True

    def wait(self, pool: "SlabPool") -> None:
        """Its holder would take a slab if there was one."""
        if pool in self._pools:
            self.waiting[pool] = None

    def wake(self) -> bool:
        """Wake those who may have a slab now, who holds least first, as many as there is room for; any at all?

        To be called until there are none: who is woken may want nothing any more.
        """
        if not self.freed:
            return False
        free, woken = self.limit - self.used, list[SlabPool]()
        for pool in sorted(self.waiting, key=lambda pool: pool.held):
            if not pool.exhausted and ((pool.used + 1) * pool.size <= free or not woken):  # else its turn was lost
                woken.append(pool)
                free -= pool.size
        for pool in woken:
            del self.waiting[pool]
            self._pools[pool][1]()
        self.freed = bool(woken)
        return self.freed

    def reclaim(self, taker: "SlabPool") -> None:
        """Make room for one that waits, at the cost of those who hold more than it, or ask nobody for anything."""
        if taker not in self.waiting:
            return
        least = taker.held + (taker.size if taker.held else 0)  # else two could take from each other in turns
        for pool, (holder, _) in sorted(self._pools.items(), key=lambda item: -item[0].held):
            while pool is not taker and taker.exhausted:
                if (holder.asked and pool.held - pool.size < least) or not pool.held or not holder.evict():
                    break

    def drop(self, size: int, most: float) -> None:
        """Let idle slabs go until all are at most so many bytes, those of `size` last."""
        for other in [*(each for each in self.idle if each != size), size]:
            idle = self.idle.get(other, [])
            while idle and self.idle_bytes > most:
                idle.pop()
                self.idle_bytes -= other


class SlabPool:
    """At most `limit` slabs of `size` bytes; those given back last are handed out first, while they are warm.

    Args:
        size: bytes.
        limit: slabs of this pool.
        memory: what it shares with other pools; None for one of its own without a limit.
    """

    def __init__(self, size: int, limit: int, memory: Memory | None = None) -> None:
        self.size = size
        self._limit = limit
        self._memory = memory if memory is not None else Memory()
        self._idle = self._memory.idle.setdefault(size, [])
        self._left = False
        self.used = 0
        """Slabs that are out."""

    @property
    def held(self) -> int:
        """Bytes that are out."""
        return self.used * self.size

    @property
    def wanted(self) -> bool:
        """Whether others, or its own holder, wait for what it holds."""
        return self.used > 0 and any(pool.exhausted for pool in self._memory.waiting)

    @property
    def plenty(self) -> bool:
        """Whether three quarters of the memory, and of what this pool may have, are free."""
        return 4 * self.used < self._limit and 4 * self._memory.used < self._memory.limit

    @property
    def full(self) -> bool:
        """Whether it has as much as it may, whatever others do."""
        return self.used >= self._limit

    @property
    def exhausted(self) -> bool:
        """Whether `take` would give nothing."""
        used, memory = self.used, self._memory
        return used >= self._limit or ((used + 1) * self.size > memory.limit - memory.used and memory.used > 0)

    @property
    def room(self) -> float:
        """How many more slabs it may have now."""
        memory = self._memory
        return min(self._limit - self.used, (memory.limit - memory.used) / self.size - self.used)

    def take(self) -> Slab | None:
        """A slab with whatever is in it, or None at the limit."""
        if self.exhausted:
            return None
        size, memory = self.size, self._memory
        self.used += 1
        memory.used += size
        if self._idle:
            memory.idle_bytes -= size
            return self._idle.pop()
        if memory.idle_bytes and memory.used + memory.idle_bytes > memory.limit:
            memory.drop(size, memory.limit - memory.used)
        return Slab(size)

    def give(self, slab: Slab) -> None:
        """Take a slab back."""
        self.used -= 1
        if self._left:
            return
        size, memory = self.size, self._memory
        memory.used -= size
        memory.freed = True
        if memory.idle_bytes + size > memory.keep and not self._idle:
            memory.drop(size, memory.keep - size)
        if memory.idle_bytes + size <= memory.keep:
            self._idle.append(slab)
            memory.idle_bytes += size

    def share(self, holder: Holder, wake: Callable[[], None]) -> None:
        """It is used by `holder` from now on.

        Args:
            holder: may have to make room for others.
            wake: called when it waits and may have a slab.
        """
        self._memory.enter(self, holder, wake)

    def wait(self) -> None:
        """A slab would be taken when others leave room; that its own come back is the caller's to notice."""
        if not self.full:
            self._memory.wait(self)

    def reclaim(self) -> None:
        """If it waits for what others hold: have them give up what they do not need as much."""
        self._memory.reclaim(self)

    def close(self) -> None:
        """It is not used any more; what is out is others' concern."""
        if not self._left:
            self._left = True
            self._memory.leave(self)
