from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.geometry import BLOCK
from bittern.engine.download.slabs import Memory, Slab, SlabPool


def test_blocks_of_a_slab_are_views_of_its_memory() -> None:
    pool = SlabPool(2 * BLOCK + 10, 1)
    slab = pool.take()
    assert slab is not None
    assert [len(block) for block in slab.blocks] == [BLOCK, BLOCK, 10]
    slab.blocks[1][0] = 7
    assert slab.memory[BLOCK] == 7


def test_there_are_never_more_slabs_than_the_limit() -> None:
    pool = SlabPool(BLOCK, 2)
    first, second = pool.take(), pool.take()
    assert first is not None
    assert second is not None
    assert (pool.take(), pool.exhausted, pool.used) == (None, True, 2)
    pool.give(first)
    assert (pool.exhausted, pool.used) == (False, 1)
    assert pool.take() is first


def test_what_came_back_last_is_warm_and_goes_out_first() -> None:
    pool = SlabPool(BLOCK, 3)
    slabs = [slab for slab in (pool.take() for _ in range(3)) if slab is not None]
    for slab in slabs:
        pool.give(slab)
    assert [pool.take() for _ in range(3)] == slabs[::-1]


def test_only_so_many_idle_slabs_are_kept() -> None:
    pool = SlabPool(BLOCK, 5, Memory(keep_bytes=BLOCK))
    slabs = [slab for slab in (pool.take() for _ in range(5)) if slab is not None]
    for slab in slabs:
        pool.give(slab)
    assert pool.take() is slabs[0]
    assert pool.take() not in slabs


class Torrent:
    """Holds slabs of a memory that it shares."""

    def __init__(self, memory: Memory, size: int = BLOCK, limit: int = 100) -> None:
        self.pool = SlabPool(size, limit, memory)
        self.pool.share(self, self.wake)
        self.slabs: list[Slab] = []
        self.asked = 1
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def evict(self) -> bool:
        if not self.slabs:
            return False
        self.pool.give(self.slabs.pop())
        return True

    def grow(self) -> bool:
        slab = self.pool.take()
        if slab is None:
            self.pool.wait()
            return False
        self.slabs.append(slab)
        return True

    def fill(self) -> int:
        while self.grow():
            pass
        return len(self.slabs)


def test_pools_that_share_a_memory_keep_to_its_limit_and_leave_room_for_newcomers() -> None:
    memory = Memory(limit=60 * BLOCK)
    torrents = [Torrent(memory) for _ in range(3)]
    assert [torrent.fill() for torrent in torrents] == [30, 15, 8]
    assert memory.used == 53 * BLOCK


def test_as_slabs_come_and_go_all_have_the_same_share() -> None:
    """Each gives one back and takes what it may, in turns: 20 of them have 1 / 21 of it."""
    memory = Memory(limit=210 * BLOCK)
    torrents = [Torrent(memory) for _ in range(20)]
    for torrent in torrents:
        torrent.fill()
    for _ in range(100):
        for torrent in torrents:
            torrent.evict()
            torrent.fill()
    assert {len(torrent.slabs) for torrent in torrents} <= {9, 10, 11}


def test_who_waits_is_woken_when_a_slab_comes_back_who_has_least_first() -> None:
    memory = Memory(limit=4 * BLOCK)
    rich, poor = Torrent(memory), Torrent(memory)
    assert (rich.fill(), poor.fill()) == (2, 1)
    assert not memory.wake()
    third = Torrent(memory)
    assert third.fill() == 1
    last = Torrent(memory)
    assert not last.fill()
    rich.evict()
    assert memory.stirred
    assert memory.wake()
    assert [each.woken for each in (rich, poor, third, last)] == [0, 0, 0, 1]


def test_a_torrent_that_is_gone_holds_nothing() -> None:
    memory = Memory(limit=3 * BLOCK)
    gone, waiting = Torrent(memory), Torrent(memory)
    gone.fill()
    waiting.fill()
    gone.pool.close()
    gone.pool.close()
    assert memory.wake()
    assert waiting.woken == 1
    gone.evict()  # the disk gives it back late
    assert memory.used == waiting.pool.held


def test_one_slab_may_always_be_out_however_small_the_limit() -> None:
    memory = Memory(limit=1)
    assert Torrent(memory).fill() == 1
    assert Torrent(memory).fill() == 0


def test_who_asks_nobody_for_anything_makes_room() -> None:
    memory = Memory(limit=8 * BLOCK)
    resting = [Torrent(memory) for _ in range(4)]
    for torrent in resting:
        torrent.fill()
        torrent.asked = 0
    needy = Torrent(memory)
    needy.fill()
    before = len(needy.slabs)
    needy.pool.reclaim()
    assert memory.wake()
    assert needy.woken == 1
    assert needy.fill() > before


def test_two_that_are_busy_do_not_take_from_each_other_in_turns() -> None:
    memory = Memory(limit=6 * BLOCK)
    torrents = [Torrent(memory), Torrent(memory)]
    for _ in range(4):
        for torrent in torrents:
            torrent.fill()
            torrent.pool.reclaim()
            memory.wake()
    held = [len(torrent.slabs) for torrent in torrents]
    for torrent in torrents:
        torrent.fill()
        torrent.pool.reclaim()
    assert [len(torrent.slabs) for torrent in torrents] == held == [3, 2]


class Sharing(RuleBasedStateMachine):
    """Torrents with slabs of different sizes take, give, wait, leave."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(limit=10 * BLOCK, keep_bytes=3 * BLOCK)
        self.torrents = [Torrent(self.memory, BLOCK * (1 + number % 2), limit=6) for number in range(4)]

    @rule(number=st.integers(0, 3))
    def grow(self, number: int) -> None:
        torrent = self.torrents[number]
        free = 10 * BLOCK - self.memory.used
        had = torrent.pool.held
        if torrent.grow():
            assert torrent.pool.held <= free or not self.memory.used - torrent.pool.size
            assert torrent.pool.held - had == torrent.pool.size

    @rule(number=st.integers(0, 3))
    def evict(self, number: int) -> None:
        self.torrents[number].evict()

    @rule(number=st.integers(0, 3))
    def reclaim(self, number: int) -> None:
        self.torrents[number].pool.reclaim()

    @rule()
    def wake(self) -> None:
        """Nobody is woken in vain, and in the end nobody who could have a slab waits."""
        while self.memory.stirred:
            before = [torrent.woken for torrent in self.torrents]
            self.memory.wake()
            grown = [t.grow() for t, count in zip(self.torrents, before, strict=True) if t.woken > count]
            assert not grown or grown[0]

    @rule(number=st.integers(0, 3))
    def leave(self, number: int) -> None:
        self.torrents[number].pool.close()
        self.torrents[number] = Torrent(self.memory, self.torrents[number].pool.size, limit=6)

    @invariant()
    def counts_agree(self) -> None:
        assert self.memory.used == sum(torrent.pool.held for torrent in self.torrents) <= 10 * BLOCK
        assert all(len(torrent.slabs) == torrent.pool.used <= 6 for torrent in self.torrents)


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_it_is_said_when_others_want_the_memory_and_when_there_is_plenty() -> None:
    memory = Memory(8 * 64)
    here, there = SlabPool(64, 8, memory), SlabPool(64, 8, memory)
    assert here.plenty
    slabs = [here.take() for _ in range(4)]
    assert not here.plenty
    assert not there.plenty, "others have it"
    assert not here.wanted
    taken = []
    while (slab := there.take()) is not None:
        taken.append(slab)
    memory.waiting[there] = None
    assert here.wanted
    assert taken
    for slab in slabs:
        assert slab is not None
        here.give(slab)
    assert not here.wanted
