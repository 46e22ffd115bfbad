"""Order, memory and limits of what is served, with reads that are done at once, later, in any order, or not."""

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.download.slabs import Memory, SlabPool
from bittern.engine.effects import ReadRun
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.queue import RUN_BLOCKS, RUN_BYTES
from bittern.engine.upload.uploads import AHEAD_BYTES, HOG_SECONDS, TURN_BYTES, Uploads
from bittern.wire.messages import Piece
from tests.engine.peers import make_peer, messages_of, take_sent

GEOMETRY = Geometry(4 * (20 * BLOCK + 100), 20 * BLOCK + 100)


def content(offset: int, length: int) -> bytes:
    """The torrent's bytes: each names its offset, so that a slab given away too early shows."""
    return bytes((at * 7 + at // 251) % 253 for at in range(offset, offset + 16)) + bytes([length % 250]) * (
        length - 16
    )


def answer(piece: int, begin: int, length: int) -> bytes:
    """What a read of exactly this run yields."""
    return content(GEOMETRY.offset(piece, begin), length)


class Disk:
    """Reads at once when it is told so; the others wait until the test does them."""

    def __init__(self) -> None:
        self.warm = True

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        assert torrent == 3
        if self.warm:
            into[:] = content(offset, len(into))
        return self.warm


def make(slabs: float = inf, have: str = "1111", memory: Memory | None = None) -> tuple[Uploads, Disk]:
    tickets = iter(range(1, 1 << 20))
    disk = Disk()
    memory = memory if memory is not None else Memory(slabs * RUN_BYTES)
    pieces = Bitfield(4, [piece for piece, bit in enumerate(have) if bit == "1"])
    return Uploads(3, GEOMETRY, pieces, memory, lambda: None, disk.read_now, lambda: next(tickets)), disk


def do(job: ReadRun) -> int:
    job.into[:] = content(job.offset, len(job.into))
    return job.ticket


def blocks_of(data: bytes) -> list[tuple[int, int, int]]:
    blocks = []
    for message in messages_of(data):
        assert isinstance(message, Piece)
        blocks.append((message.piece, message.begin, len(message.block)))
    return blocks


class Service(RuleBasedStateMachine):
    """Three peers, a disk of moods, little memory."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(5 * RUN_BYTES)
        self.uploads, self.disk = make(memory=self.memory)
        self.numbers = 0
        self.peers = [self.join() for _ in range(3)]
        self.asked: dict[int, list[tuple[int, int, int]]] = {}
        self.got: dict[int, bytearray] = {}
        self.jobs: list[ReadRun] = []

    def teardown(self) -> None:
        self.disk.warm = True
        for _ in range(100):
            for at in range(3):
                self.serve(at)
                self.send(at, 1 << 30)
            self.wake()
            while self.jobs:
                self.read_done(0)
        for peer in self.peers:
            data = bytes(self.got.get(peer.number, b""))
            assert blocks_of(data) == self.asked.get(peer.number, []), "a request was lost, doubled or out of order"
            assert peer.uploads.reading == peer.uploads.queued == 0
        self.uploads._chunks.clear()
        assert self.uploads._slabs.used == len(self.uploads._chunks) == self.memory.used == 0

    def join(self) -> Peer:
        self.numbers += 1
        return make_peer(self.numbers)

    who = st.integers(0, 2)

    @rule(who=who, piece=st.integers(0, 3), first=st.integers(0, 19), count=st.integers(1, 20))
    def ask(self, who: int, piece: int, first: int, count: int) -> None:
        peer = self.peers[who]
        count = min(count, 21 - first)
        lengths = [GEOMETRY.block_length(piece, first + at) for at in range(count)]
        peer.uploads.add(piece, first * BLOCK, sum(lengths), count)
        asked = self.asked.setdefault(peer.number, [])
        asked += [(piece, (first + at) * BLOCK, length) for at, length in enumerate(lengths)]

    @rule(who=who)
    def serve(self, who: int) -> None:
        peer = self.peers[who]
        assert self.uploads.serve(peer, 0.0)
        self.jobs += self.uploads.take_jobs()
        ahead = peer.wire.unsent + peer.uploads.reading
        assert ahead < AHEAD_BYTES + RUN_BLOCKS * (BLOCK + 13)

    @rule()
    def mood(self) -> None:
        self.disk.warm = not self.disk.warm

    @precondition(lambda self: self.jobs)
    @rule(at=st.integers(0, 50))
    def read_done(self, at: int) -> None:
        self.uploads.was_read(do(self.jobs.pop(at % len(self.jobs))))

    @precondition(lambda self: self.jobs)
    @rule(at=st.integers(0, 50))
    def read_failed(self, at: int) -> None:
        job = self.jobs.pop(at % len(self.jobs))
        for peer, piece, begin, length in self.uploads.failed(job.ticket):
            assert job.offset <= GEOMETRY.offset(piece, begin)
            assert GEOMETRY.offset(piece, begin) + length <= job.offset + len(job.into)
            for block in range(begin, begin + length, BLOCK):
                self.asked[peer.number].remove((piece, block, min(BLOCK, begin + length - block)))

    @rule(who=who, most=st.one_of(st.integers(1, 100), st.integers(1, 300_000)))
    def send(self, who: int, most: int) -> None:
        peer = self.peers[who]
        self.got.setdefault(peer.number, bytearray()).extend(take_sent(peer, most))

    @rule()
    def wake(self) -> None:
        for peer in self.uploads.waiting():
            assert self.uploads.serve(peer, 0.0)
        self.jobs += self.uploads.take_jobs()

    @rule(who=who)
    def leave(self, who: int) -> None:
        peer = self.peers[who]
        peer.wire.close()
        self.uploads.forget(peer)
        self.peers[who] = self.join()

    @invariant()
    def memory_is_accounted_for(self) -> None:
        assert 0 <= self.uploads._slabs.used <= 5
        free = self.uploads._slabs._idle
        assert len({id(slab) for slab in free}) == len(free), "a slab was given back twice"
        for peer in self.peers:
            assert peer.uploads.reading >= 0
            assert peer.uploads.queued >= 0


TestService = Service.TestCase
TestService.settings = settings(max_examples=60, stateful_step_count=40)


def served(blocks: int = 3) -> tuple[Uploads, Disk, Peer]:
    uploads, disk = make()
    peer = make_peer()
    peer.uploads.add(0, 0, blocks * BLOCK, blocks)
    return uploads, disk, peer


def test_neighbours_are_read_together_and_sent_with_the_right_bytes() -> None:
    uploads, _, peer = served()
    assert uploads.serve(peer, 0.0)
    data = b"".join(message.block for message in messages_of(take_sent(peer)) if isinstance(message, Piece))
    assert data == answer(0, 0, 3 * BLOCK)
    assert (uploads.total, peer.uploads.sent) == (3 * BLOCK, 3 * BLOCK)


def test_what_is_read_late_does_not_overtake_what_was_asked_before() -> None:
    uploads, disk, peer = served()
    disk.warm = False
    uploads.serve(peer, 0.0)
    disk.warm = True
    peer.uploads.add(1, 0, BLOCK)
    uploads.serve(peer, 0.0)
    assert take_sent(peer) == b""
    [job] = uploads.take_jobs()
    assert uploads.was_read(do(job)) == [peer]
    assert blocks_of(take_sent(peer)) == [(0, 0, BLOCK), (0, BLOCK, BLOCK), (0, 2 * BLOCK, BLOCK), (1, 0, BLOCK)]


def test_a_failed_read_gives_back_what_was_asked_and_lets_the_next_pass() -> None:
    uploads, disk, peer = served()
    disk.warm = False
    uploads.serve(peer, 0.0)
    disk.warm = True
    peer.uploads.add(1, 0, BLOCK)
    uploads.serve(peer, 0.0)
    [job] = uploads.take_jobs()
    assert uploads.failed(job.ticket) == [(peer, 0, 0, 3 * BLOCK)]
    assert blocks_of(take_sent(peer)) == [(1, 0, BLOCK)]
    assert uploads.failed(job.ticket) == []
    assert uploads._slabs.used == 0


@pytest.mark.parametrize("finish", [Uploads.was_read, Uploads.failed])
def test_a_read_for_a_peer_that_left_gives_its_memory_back(finish: Callable[[Uploads, int], object]) -> None:
    uploads, disk, peer = served()
    disk.warm = False
    uploads.serve(peer, 0.0)
    [job] = uploads.take_jobs()
    uploads.forget(peer)
    assert uploads._slabs.used == 1  # the disk still writes into it
    assert finish(uploads, job.ticket) == []
    assert uploads._slabs.used == 0


def test_unknown_tickets_are_nobodys() -> None:
    uploads, _, _ = served()
    assert (uploads.was_read(99), uploads.failed(99)) == ([], [])


def test_a_limit_stops_serving_until_there_are_tokens() -> None:
    uploads, _, peer = served(40)
    peer.lanes.up.set_limit(1_000_000.0)
    assert not uploads.serve(peer, 0.0)
    assert blocks_of(take_sent(peer)) == [(0, at * BLOCK, BLOCK) for at in range(5)]
    due = peer.lanes.up.ready_at(0.0)
    assert 0 < due < inf
    assert not uploads.serve(peer, due - 0.001)
    assert take_sent(peer) == b""
    uploads.serve(peer, due)
    assert take_sent(peer)


def test_no_more_is_read_ahead_than_the_connection_takes() -> None:
    uploads, _, peer = served(blocks=20)
    for piece in range(1, 4):
        for _ in range(10):
            peer.uploads.add(piece, 0, 20 * BLOCK, 20)
    uploads.serve(peer, 0.0)
    assert AHEAD_BYTES <= peer.wire.unsent < AHEAD_BYTES + 17 * BLOCK
    take_sent(peer, 600_000)
    before = peer.uploads.queued
    uploads.serve(peer, 0.0)
    assert peer.uploads.queued < before


def test_a_crowd_is_not_read_for_all_at_once_and_nobody_is_left_out() -> None:
    uploads, _ = make()
    crowd = [make_peer(number) for number in range(50)]
    for peer in crowd:
        for piece in range(4):
            for _ in range(2):
                peer.uploads.add(piece, 0, 20 * BLOCK, 20)
        uploads.serve(peer, 1.0)
    unsent = [peer.wire.unsent for peer in crowd]
    assert min(unsent) > 0
    assert sum(unsent) < TURN_BYTES + AHEAD_BYTES + 50 * 17 * (BLOCK + 13)
    uploads.serve(crowd[-1], 1.01)
    assert crowd[-1].wire.unsent >= AHEAD_BYTES


def test_a_peer_that_waits_for_memory_is_served_when_there_is_some() -> None:
    uploads, _ = make(slabs=1)
    greedy = make_peer()
    greedy.uploads.add(0, 0, 3 * BLOCK, 3)
    waiting = make_peer(2)
    waiting.uploads.add(2, 0, BLOCK)
    uploads.serve(greedy, 0.0)
    uploads.serve(waiting, 0.0)
    assert (take_sent(waiting), uploads.waiting()) == (b"", [])
    take_sent(greedy)
    assert uploads.waiting() == [waiting]
    uploads.serve(waiting, 0.0)
    assert blocks_of(take_sent(waiting)) == [(2, 0, BLOCK)]


@pytest.mark.parametrize("deaf", [1, 3, 10, 30])
def test_a_crowd_that_takes_nothing_leaves_memory_for_who_comes(deaf: int) -> None:
    """Else whoever comes had to wait until they are found out."""
    uploads, _ = make(slabs=64)  # half of which is for other torrents
    crowd = [make_peer(number) for number in range(deaf)]
    for _ in range(10):
        for peer in crowd:
            for piece in range(4):
                peer.uploads.add(piece, 0, BLOCK)  # single blocks, which take a slab each
            uploads.serve(peer, 0.0)
    assert all(peer.uploads.held for peer in crowd)
    reader = make_peer(deaf)
    for piece in (0, 1, 2, 3):
        reader.uploads.add(piece, 0, BLOCK)
        uploads.serve(reader, 0.0)
        assert blocks_of(take_sent(reader)) == [(piece, 0, BLOCK)]


WHOLE = bytes((at * 7 + at // 251) % 253 for at in range(GEOMETRY.total_length))


def fetch(uploads: Uploads, peers: list[Peer]) -> int:
    """Serve until nobody waits, from a disk that always has to be waited for; how many reads it took."""
    count = 0
    while True:
        for peer in peers:
            uploads.serve(peer, 0.0)
        jobs = uploads.take_jobs()
        if not jobs:
            return count
        count += len(jobs)
        for job in jobs:
            job.into[:] = WHOLE[job.offset : job.offset + len(job.into)]
            uploads.was_read(job.ticket)


def data_of(peer: Peer) -> bytes:
    return b"".join(message.block for message in messages_of(take_sent(peer)) if isinstance(message, Piece))


def test_a_crowd_reads_a_piece_of_a_slow_disk_once() -> None:
    uploads, disk = make()
    disk.warm = False
    peers = [make_peer(number) for number in range(1, 9)]
    for peer in peers:
        peer.uploads.add(1, 0, 20 * BLOCK + 100, 21)
    assert fetch(uploads, peers) == 2
    piece = WHOLE[GEOMETRY.piece_size : 2 * GEOMETRY.piece_size]
    assert all(data_of(peer) == piece for peer in peers)
    late = make_peer(9)
    late.uploads.add(1, 0, 20 * BLOCK + 100, 21)
    assert fetch(uploads, [late]) == 0, "it is in memory still"
    assert data_of(late) == piece


def test_who_asks_for_block_after_block_has_them_read_ahead() -> None:
    uploads, disk = make()
    disk.warm = False
    peer = make_peer()
    reads, data = 0, b""
    for block in range(20):
        peer.uploads.add(0, block * BLOCK, BLOCK)
        reads += fetch(uploads, [peer])
        data += data_of(peer)
    assert (reads, data) == (2, WHOLE[: 20 * BLOCK])


def test_a_block_from_anywhere_is_read_alone() -> None:
    uploads, disk = make()
    disk.warm = False
    peer = make_peer()
    peer.uploads.add(0, 5 * BLOCK, BLOCK)
    uploads.serve(peer, 0.0)
    assert [len(job.into) for job in uploads.take_jobs()] == [BLOCK]


def test_when_a_shared_read_fails_all_that_waited_for_it_are_told_and_it_is_tried_anew() -> None:
    uploads, disk = make()
    disk.warm = False
    peers = [make_peer(1), make_peer(2)]
    for peer in peers:
        peer.uploads.add(0, 0, 2 * BLOCK, 2)
        uploads.serve(peer, 0.0)
    [job] = uploads.take_jobs()
    assert uploads.failed(job.ticket) == [(peer, 0, 0, 2 * BLOCK) for peer in peers]
    assert uploads._slabs.used == 0
    peers[0].uploads.add(0, 0, BLOCK)
    assert fetch(uploads, peers) == 1


def test_who_takes_nothing_of_the_memory_that_others_wait_for_is_found() -> None:
    uploads, _ = make(slabs=3)  # the last one is for newcomers
    deaf, reader, waiting = peers = [make_peer(number) for number in (1, 2, 3)]
    for peer in peers:
        peer.uploads.add(0, 0, 16 * BLOCK, 16)
        uploads.serve(peer, 0.0)
    for second in range(int(HOG_SECONDS)):
        assert uploads.hogs(peers, float(second)) == []
        take_sent(reader, 1000)
    assert uploads.hogs(peers, HOG_SECONDS) == [deaf]
    take_sent(reader)
    assert uploads.hogs(peers, HOG_SECONDS + 1) == [], "there is memory again"
    assert uploads.waiting() == [waiting]


def test_nobody_is_parted_with_while_nobody_waits() -> None:
    uploads, _, peer = served()
    uploads.serve(peer, 0.0)
    for second in range(100):
        assert uploads.hogs([peer], float(second)) == []


def ask(peer: Peer, piece: int, first: int, count: int = 1) -> None:
    lengths = [GEOMETRY.block_length(piece, first + at) for at in range(count)]
    peer.uploads.add(piece, first * BLOCK, sum(lengths), count)


def ahead(uploads: Uploads, peer: Peer, piece: int, first: int, count: int = 1) -> list[tuple[int, int]]:
    """Ask, have it read, take it; (piece, begin) of what the disk was asked for meanwhile."""
    ask(peer, piece, first, count)
    uploads.serve(peer, 0.0)
    jobs = uploads.take_jobs()
    for job in jobs:
        job.into[:] = WHOLE[job.offset : job.offset + len(job.into)]
        uploads.was_read(job.ticket)
    uploads.serve(peer, 0.0)
    assert (
        data_of(peer) == WHOLE[GEOMETRY.offset(piece, first * BLOCK) :][: GEOMETRY.block_length(piece, first) * count]
    )
    return [divmod(job.offset, GEOMETRY.piece_size) for job in jobs]


def test_the_next_chunk_is_read_before_a_reader_in_order_asks_for_it() -> None:
    """From piece to piece, too; each is read once, and no block is waited for but the first ones."""
    uploads, disk = make()
    disk.warm = False
    peer = make_peer()
    second = 16 * BLOCK
    read = [ahead(uploads, peer, piece, block) for piece in range(4) for block in range(21)]
    assert read[:2] == [[(0, 0)], [(0, second)]], "one block says nothing of an order"
    assert read[2:21] == [[]] * 19, "nor does one piece of the next"
    assert read[21] == [(1, 0), (1, second)]
    later = {number: places for number, places in enumerate(read[22:], 22) if places}
    assert [place for places in later.values() for place in places] == [(2, 0), (2, second), (3, 0), (3, second)]
    for number, places in later.items():
        assert places[0] > (number // 21, number % 21 * BLOCK), "it was asked for before it was read"


def test_nothing_is_read_ahead_for_who_jumps_and_no_piece_that_is_not_there() -> None:
    uploads, disk = make(have="1101")
    disk.warm = False
    peer = make_peer()
    assert ahead(uploads, peer, 0, 0) == [(0, 0)]
    assert ahead(uploads, peer, 3, 7) == [(3, 7 * BLOCK)]
    assert ahead(uploads, peer, 1, 3) == [(1, 3 * BLOCK)]
    marcher = make_peer(2)
    read = [place for piece in (0, 1) for block in range(21) for place in ahead(uploads, marcher, piece, block)]
    assert {piece for piece, _ in read} <= {0, 1}, "piece 2 is not stored yet: what is in the file is not its bytes"


def test_nothing_is_read_ahead_where_memory_is_short() -> None:
    memory = Memory(8 * RUN_BYTES)
    uploads, disk = make(memory=memory)
    disk.warm = False
    peer = make_peer()
    other = SlabPool(RUN_BYTES, 8, memory)
    taken = [other.take() for _ in range(2)]
    assert ahead(uploads, peer, 0, 0) + ahead(uploads, peer, 0, 1) == [(0, 0)]
    for slab in taken:
        assert slab is not None
        other.give(slab)
    assert ahead(uploads, peer, 0, 2) == [(0, 16 * BLOCK)]


def test_a_chunk_that_was_read_ahead_for_nobody_gives_its_memory_back() -> None:
    for good in (True, False):
        uploads, disk = make()
        disk.warm = False
        peer = make_peer()
        ahead(uploads, peer, 0, 0)
        ask(peer, 0, 1)
        uploads.serve(peer, 0.0)
        [job] = uploads.take_jobs()
        take_sent(peer)
        uploads.forget(peer)
        assert (uploads.was_read(job.ticket) if good else uploads.failed(job.ticket)) == []
        assert uploads._slabs.used == 0


def test_all_torrents_share_one_memory_and_each_gets_a_part_of_it() -> None:
    memory = Memory(8 * RUN_BYTES)
    (greedy, _), (modest, _) = make(memory=memory), make(memory=memory)
    crowd = [make_peer(number) for number in range(1, 6)]
    for peer in crowd:
        peer.uploads.add(0, 0, 20 * BLOCK, 20)
        greedy.serve(peer, 0.0)
    assert memory.used == 4 * RUN_BYTES, "as much as it leaves free"
    newcomer = make_peer(9)
    newcomer.uploads.add(0, 0, 20 * BLOCK, 20)
    modest.serve(newcomer, 0.0)
    assert newcomer.uploads.held == 2
    greedy.close()
    modest.close()
    assert memory.used == 0


def test_what_one_torrent_keeps_for_nobody_is_given_up_for_a_peer_of_another() -> None:
    memory = Memory(4 * RUN_BYTES)
    (keeper, disk), (needy, _) = make(memory=memory), make(memory=memory)
    disk.warm = False
    reader = make_peer()
    reader.uploads.add(0, 0, 20 * BLOCK, 20)
    assert fetch(keeper, [reader]) == 2
    take_sent(reader)
    assert (reader.uploads.held, memory.used) == (0, 2 * RUN_BYTES)
    peers = [make_peer(number) for number in (2, 3, 4)]
    for peer in peers:
        peer.uploads.add(1, 0, 16 * BLOCK, 16)
        needy.serve(peer, 0.0)
    assert keeper._slabs.used == 0
    assert sum(peer.uploads.held for peer in peers) == 2


def test_a_hog_in_one_torrent_is_found_when_a_peer_of_another_waits() -> None:
    memory = Memory(RUN_BYTES)
    (here, _), (there, _) = make(memory=memory), make(memory=memory)
    deaf, waiting = make_peer(1), make_peer(2)
    for uploads, peer in ((here, deaf), (there, waiting)):
        peer.uploads.add(0, 0, 16 * BLOCK, 16)
        uploads.serve(peer, 0.0)
    assert (deaf.uploads.held, waiting.uploads.held) == (1, 0)
    assert here.hogs([deaf], 0.0) == here.hogs([deaf], HOG_SECONDS - 1) == []
    assert here.hogs([deaf], HOG_SECONDS) == [deaf]
    here.forget(deaf)
    deaf.wire.close()
    assert memory.wake()
    there.serve(waiting, 20.0)
    assert waiting.uploads.held == 1
