"""Chunks in memory: shared while somebody uses them, kept for a while, and given up when memory is short."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.engine.download.slabs import SlabPool
from bittern.engine.upload.chunks import IDLE_MOST, Chunk, Chunks
from bittern.engine.upload.queue import RUN_BYTES

LIMIT = IDLE_MOST + 2


class Memory(RuleBasedStateMachine):
    """Runs of a few pieces are asked for, read, sent; beside them, slabs are taken for other uses."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = SlabPool(64, LIMIT)  # small: what is in them does not matter here
        self.chunks = Chunks(self.pool)
        self.uses: list[Chunk] = []
        self.others: list[object] = []
        self.tickets = 0

    @rule(piece=st.integers(0, 6), begin=st.integers(0, 5))
    def want(self, piece: int, begin: int) -> None:
        begin = begin * RUN_BYTES // 2
        known = {(chunk.piece, chunk.begin) for chunk in self.uses}
        chunk = self.chunks.find(piece, begin)
        if chunk is None:
            assert (piece, begin - begin % RUN_BYTES) not in known, "read twice"
            slab = self.chunks.take()
            if slab is None:
                return
            self.tickets += 1
            chunk = self.chunks.open(piece, begin, slab, self.tickets)
        assert chunk.begin <= begin < chunk.begin + RUN_BYTES
        self.uses.append(chunk)

    @precondition(lambda self: any(chunk.ticket for chunk in self.uses))
    @rule(good=st.booleans())
    def read(self, good: bool) -> None:  # noqa: FBT001 - a parameter
        chunk = next(chunk for chunk in self.uses if chunk.ticket)
        self.chunks.settled(chunk, good=good)
        if not good:
            for _ in range(self.uses.count(chunk)):
                self.uses.remove(chunk)
                self.chunks.release(chunk)

    @precondition(lambda self: any(not chunk.ticket for chunk in self.uses))
    @rule()
    def sent(self) -> None:
        chunk = next(chunk for chunk in self.uses if not chunk.ticket)
        self.uses.remove(chunk)
        self.chunks.release(chunk)

    @rule()
    def take(self) -> None:
        exhausted = self.chunks.exhausted
        slab = self.chunks.take()
        assert (slab is None) == exhausted
        if slab is not None:
            self.others.append(slab)
            assert all(slab is not chunk.slab for chunk in self.uses), "in use"

    @invariant()
    def memory_is_accounted_for(self) -> None:
        in_use = len({id(chunk) for chunk in self.uses})
        assert self.pool.used == len(self.others) + len(self.chunks)
        assert in_use <= len(self.chunks) <= in_use + IDLE_MOST
        assert self.pool.used <= LIMIT

    def teardown(self) -> None:
        for chunk in [chunk for chunk in self.uses if chunk.ticket]:
            if chunk.ticket:
                self.chunks.settled(chunk, good=True)
        for chunk in self.uses:
            self.chunks.release(chunk)
        self.chunks.clear()
        assert (self.pool.used, len(self.chunks)) == (len(self.others), 0)


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=40)
