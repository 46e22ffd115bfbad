"""Pipelines that share one assembly: what is here stays as it came, and nothing is lost or asked twice."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.engine.download import assembly, requests
from bittern.engine.download.download import Download
from bittern.engine.download.open_pieces import Extent
from bittern.engine.download.picker import Picker
from bittern.engine.download.requests import Pipeline
from bittern.engine.effects import StoreExtent
from bittern.engine.settings import EngineSettings
from bittern.wire.blocks import Run
from bittern.wire.decoder import Decoder, Scratch
from bittern.wire.messages import Choke, Have, KeepAlive, Piece, Reject
from tests.engine.content import info_of
from tests.engine.peers import deep
from tests.wire.wiring import Call, Recorder, deliver, pattern

POISON = b"\xdd"
PEERS = 3


@dataclass
class Remote:
    """The other end of one wire: what it was asked, and what it sends, honest or late or in any order.

    `owed` are requests it has not answered; `late` those that we took back without it knowing.
    """

    number: int
    pipeline: Pipeline
    decoder: Decoder
    pieces: Bitfield
    owed: list[tuple[int, int, int]] = field(default_factory=list)
    late: list[tuple[int, int, int]] = field(default_factory=list)
    stream: bytearray = field(default_factory=bytearray)
    sent: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)


class Swarm(RuleBasedStateMachine):
    """Three remotes, one download, a disk that takes its time; every copy of every block is different."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(assembly, "EXTENT", 3 * BLOCK)
        self.patch.setattr(requests, "_STRAYS", 2)
        # Two extents a piece, an odd end, a short last piece.
        info, _ = info_of(4 * 65536 + 40000, 65536)
        count = info.geometry.piece_count
        self.geometry = info.geometry
        config = EngineSettings(buffer_bytes=5 * 3 * BLOCK, max_requests_outstanding=9, disk_queue_bytes=1 << 30)
        self.download = Download(1, info, Bitfield(count), Bitfield.full(count), config, Random(1))
        self.scratch = Scratch()
        self.numbers = 0
        self.serial = 0
        self.now = 0.0
        self.remotes = [self.join(at) for at in range(PEERS)]
        self.priorities = [4] * count
        self.here: dict[tuple[int, int], bytes] = {}  # what the first deliverer of each block sent
        self.disk: deque[tuple[StoreExtent, bytes]] = deque()
        self.unchecked: dict[int, int] = {}  # bytes of a piece that the disk has
        self.stored: dict[int, None] = {}

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.patch.undo()

    def join(self, at: int) -> Remote:
        self.numbers += 1
        pipeline = deep(self.download, self.numbers)
        sink = Recorder()
        count = self.geometry.piece_count
        pieces = Bitfield.full(count) if at else Bitfield(count, range(0, count, 2))
        remote = Remote(self.numbers, pipeline, Decoder(self.scratch, sink, None, pipeline), pieces)
        sink.react = lambda call: self.heard(remote, call)
        return remote

    def heard(self, remote: Remote, call: Call) -> None:
        if call[0] == "choke":
            self.stop_asking(remote)
        elif call[0] == "reject":
            piece, begin = call[1], call[2]
            assert isinstance(piece, int)
            assert isinstance(begin, int)
            assert remote.pipeline.rejected(piece, begin // BLOCK)

    def stop_asking(self, remote: Remote) -> None:
        remote.decoder.divert()
        remote.pipeline.give_up(forgive=True)

    # --- what can happen

    who = st.integers(0, PEERS - 1)

    @rule(who=who, most=st.integers(1, 9))
    def ask(self, who: int, most: int) -> None:
        remote = self.remotes[who]
        asked, before = self.asked_blocks(), self.extents()
        for run in self.download.ask(remote.pipeline, remote.pieces, most, self.now):
            assert self.priorities[run.piece], "a piece was asked for that nobody wants"
            for block, body in zip(range(run.first, run.first + run.count), run.bodies, strict=True):
                assert (run.piece, block) not in asked, "a block was asked twice outside the endgame"
                remote.owed.append((run.piece, block, len(body)))
        self.forget_extents_gone_since(before)

    def forget_extents_gone_since(self, before: dict[tuple[int, int, int], Extent]) -> None:
        """Those that were evicted: they must come again."""
        after = self.extents()
        for (piece, first, count), extent in before.items():
            if after.get((piece, first, count)) is extent:
                continue
            for block in range(first, first + count):
                self.here.pop((piece, block), None)

    @rule(piece=st.integers(0, 4), due=st.one_of(st.none(), st.floats(0.0, 9.0)))
    def hurry(self, piece: int, due: float | None) -> None:
        if piece not in self.download.have:
            self.download.urgent.set(piece, due)

    @rule(priorities=st.lists(st.sampled_from([0, 0, 4, 4, 7]), min_size=5, max_size=5))
    def prioritize(self, priorities: list[int]) -> None:
        """The user wants other files, in the middle of everything."""
        for remote in self.remotes:
            owed = [piece for piece, _, _ in remote.pipeline.blocks_owed()]
            if remote.pipeline.arriving is not None:
                owed.append(remote.pipeline.arriving[0])
            if not all(priorities[piece] for piece in owed):
                self.snub_remote(remote)
        before = self.extents()
        self.priorities = priorities
        self.download.prioritize(priorities)
        self.forget_extents_gone_since(before)

    def extents(self) -> dict[tuple[int, int, int], Extent]:
        """Those that are in memory and not complete."""
        opened = self.download.assembly._open.values()
        extents = [extent for one in opened for extent in one.extents.values()]
        return {(extent.piece, extent.first, len(extent.states)): extent for extent in extents}

    @rule(one=who, other=who, most=st.integers(1, 5))
    def race(self, one: int, other: int, most: int) -> None:
        if one != other:
            idle, rival = self.remotes[one], self.remotes[other]
            rival.decoder.divert()
            idle.decoder.divert()
            for run in self.download.ask_too(idle.pipeline, rival.pipeline, idle.pieces, most, self.now):
                idle.owed.append((run.piece, run.first, len(run.bodies[0])))

    @rule(one=who, other=who, first=st.integers(1, 2 * BLOCK), second=st.integers(1, 3 * BLOCK))
    def duel(self, one: int, other: int, first: int, second: int) -> None:
        """Both have begun to send the same blocks when one of them is faster."""
        self.race(one, other, 2)
        self.send_blocks(one, 9, newest_first=True)
        self.send_blocks(other, 9, newest_first=True)
        self.take_in(self.remotes[other], first)
        self.take_in(self.remotes[one], second)

    @rule(who=who, count=st.integers(1, 12), newest_first=st.booleans())
    def send_blocks(self, who: int, count: int, *, newest_first: bool) -> None:
        remote = self.remotes[who]
        for _ in range(min(count, len(remote.owed))):
            self.say_block(remote, remote.owed.pop(-1 if newest_first else 0))

    @rule(who=who, order=st.randoms(use_true_random=False))
    def send_mixed_up(self, who: int, order: Random) -> None:
        remote = self.remotes[who]
        order.shuffle(remote.owed)
        self.send_blocks(who, 9, newest_first=True)

    @rule(who=who, at=st.integers(0, 20))
    def send_late(self, who: int, at: int) -> None:
        """What was given up, or withdrawn with a cancel that crossed it, comes all the same."""
        remote = self.remotes[who]
        if remote.late:
            self.say_block(remote, remote.late.pop(at % len(remote.late)))

    def say_block(self, remote: Remote, owed: tuple[int, int, int]) -> None:
        piece, block, length = owed
        self.serial += 1
        body = pattern(remote.number, piece, block, self.serial, length=length)
        remote.sent.setdefault((piece, block), []).append(body)
        remote.stream += Piece(piece, block * BLOCK, body).encode()

    @rule(who=who)
    def send_noise(self, who: int) -> None:
        self.remotes[who].stream += Have(1).encode() + KeepAlive().encode()

    @rule(who=who, at=st.integers(0, 20))
    def send_reject(self, who: int, at: int) -> None:
        remote = self.remotes[who]
        if remote.owed:
            piece, block, length = remote.owed.pop(at % len(remote.owed))
            remote.stream += Reject(piece, block * BLOCK, length).encode()

    @rule(who=who)
    def send_choke(self, who: int) -> None:
        remote = self.remotes[who]
        remote.stream += Choke().encode()
        remote.late += remote.owed  # of which some may be on their way in another order
        remote.owed.clear()

    @rule(who=who, count=st.one_of(st.integers(1, 40), st.integers(1, 4 * BLOCK), st.just(1 << 20)))
    def read(self, who: int, count: int) -> None:
        self.take_in(self.remotes[who], count)

    def take_in(self, remote: Remote, count: int) -> None:
        self.scratch.slab[:] = b"\x07" * len(self.scratch.slab)
        self.scratch.heads[:] = POISON * len(self.scratch.heads)
        if remote.stream:
            self.now += 0.01
            before = {key: len(copies) for key, copies in remote.sent.items()}
            taken = deliver(remote.decoder, bytes(remote.stream), count, self.now)
            del remote.stream[:taken]
            assert before.keys() == remote.sent.keys()
            self.note_arrivals()

    @rule(who=who)
    def snub(self, who: int) -> None:
        """We lose patience, at whatever byte of a block its answer is."""
        self.snub_remote(self.remotes[who])

    def snub_remote(self, remote: Remote) -> None:
        self.stop_asking(remote)
        remote.late += remote.owed
        remote.owed.clear()

    @rule(who=who)
    def leave(self, who: int) -> None:
        remote = self.remotes[who]
        remote.decoder.stop()
        remote.pipeline.give_up(forgive=False)
        self.remotes[who] = self.join(who)

    @rule()
    def settle(self) -> None:
        for job in self.download.take_jobs():
            first = job.begin // BLOCK
            whole = b"".join(self.here[job.piece, block] for block in range(first, first - (-len(job.data) // BLOCK)))
            assert bytes(job.data) == whole, "what goes to the disk is not what came first"
            self.disk.append((job, whole))
        for asker, piece, block in self.download.assembly.races.take_superfluous():
            for remote in self.remotes:
                if remote.pipeline is asker:
                    # Its cancel may come in time or not: the remote decides when it sends what is late.
                    remote.late += [owed for owed in remote.owed if owed[:2] == (piece, block)]
                    remote.owed = [owed for owed in remote.owed if owed[:2] != (piece, block)]

    @precondition(lambda self: self.disk)
    @rule(good=st.integers(0, 3))
    def disk_done(self, good: int) -> None:
        job, whole = self.disk.popleft()
        assert bytes(job.data) == whole, "a buffer changed while it was the disk's"
        job.data[:] = POISON * len(job.data)
        self.download.extent_done(job)
        if job.piece not in self.download.assembly:
            return  # given up in between
        self.unchecked[job.piece] = self.unchecked.get(job.piece, 0) + len(job.data)
        if self.unchecked[job.piece] == job.piece_length:
            del self.unchecked[job.piece]
            senders = self.download.piece_checked(job.piece, good=good > 0)
            assert senders
            if good:
                self.stored[job.piece] = None
            else:
                self.forget_piece(job.piece)
                self.expunge(senders[0])

    def expunge(self, liar: int) -> None:
        """What the liar sent of pieces that are not whole must come again."""
        for (piece, first, _), extent in self.extents().items():
            for at, author in enumerate(extent.authors):
                if extent.states[at] == assembly._HERE and author == liar:
                    del self.here[piece, first + at]
        self.download.assembly.expunge(liar)

    @precondition(lambda self: self.numbers % 3 == 0)
    @rule()
    def disk_fails(self) -> None:
        for remote in self.remotes:
            self.snub_remote(remote)
        for forgotten in self.download.start_over():
            self.forget_piece(forgotten.piece)
            self.unchecked.pop(forgotten.piece, None)
        while self.disk:  # the engine asks for nothing until the disk is quiet (Download.congested)
            job, whole = self.disk.popleft()
            assert bytes(job.data) == whole
            self.download.extent_done(job)
            before = len(self.download.have)
            entire = len(job.data) == job.piece_length and bool(self.priorities[job.piece])
            assert self.download.piece_checked(job.piece, good=entire) == (() if entire else None)
            assert len(self.download.have) - before == entire, "what the disk has need not come again"
            if entire:
                self.stored[job.piece] = None
        assert not self.download.congested

    def forget_piece(self, piece: int) -> None:
        self.here = {key: data for key, data in self.here.items() if key[0] != piece}

    # --- what must hold

    def asked_blocks(self) -> dict[tuple[int, int], list[Remote]]:
        asked: dict[tuple[int, int], list[Remote]] = {}
        for remote in self.remotes:
            pipeline = remote.pipeline
            for piece, block, _ in pipeline.blocks_owed():
                asked.setdefault((piece, block), []).append(remote)
            if pipeline._arriving is not None and pipeline._mine:
                asked.setdefault(pipeline._arriving, []).append(remote)
        return asked

    def note_arrivals(self) -> None:
        """A block that is newly here must be a copy that somebody sent, whole."""
        for extent in [*self.extents().values(), *self.download.assembly._complete]:
            for at, state in enumerate(extent.states):
                key = (extent.piece, extent.first + at)
                if state == assembly._HERE and key not in self.here:
                    data = bytes(extent.bodies[at])
                    assert any(data in remote.sent.get(key, ()) for remote in self.remotes), f"{key} is made up"
                    self.here[key] = data

    @invariant()
    def what_is_here_stays_as_it_came(self) -> None:
        for extent in [*self.extents().values(), *self.download.assembly._complete]:
            for at, state in enumerate(extent.states):
                if state == assembly._HERE:
                    assert extent.bodies[at] == self.here[extent.piece, extent.first + at]
        for job, whole in self.disk:
            assert job.data == whole

    @invariant()
    def every_asked_block_is_asked_of_somebody(self) -> None:
        self.download.check_invariants()
        states = {
            (extent.piece, extent.first + at): state
            for extent in self.extents().values()
            for at, state in enumerate(extent.states)
        }
        asked = self.asked_blocks()
        assert sorted(asked) == sorted(key for key, state in states.items() if state == assembly._ASKED)
        for key, remotes in asked.items():
            numbers = [remote.number for remote in remotes]
            assert len(numbers) == len(set(numbers))
            for remote in remotes:
                assert (key in remote.pipeline.shared) == (len(remotes) > 1)

    @invariant()
    def nobody_writes_in_place_what_is_not_theirs_alone(self) -> None:
        asked = self.asked_blocks()
        for remote in self.remotes:
            pipeline = remote.pipeline
            assert pipeline.outstanding == sum(len(run.blocks) for run in pipeline.runs) + len(pipeline.loose)
            assert all(asked[piece, begin // BLOCK] == [remote] for _, _, piece, begin in pipeline.scattered())
            for run in pipeline.expected():
                assert run.blocks
                assert all(asked[run.piece, block] == [remote] for block in run.blocks)

    @invariant()
    def no_slab_is_lost(self) -> None:
        opened = self.download.assembly
        held = len(self.extents()) + len(opened._complete) + len(self.disk)
        assert opened.slabs.used == held

    def finish(self) -> None:
        """From any state: if everybody answers what it is asked, everything gets stored."""
        self.prioritize([4] * 5)
        for _ in range(400):
            for at, remote in enumerate(self.remotes):
                remote.late.clear()
                if not remote.pipeline.outstanding:
                    self.ask(at, 9)
                self.send_blocks(at, 99, newest_first=False)
                self.take_in(remote, 1 << 20)
            self.settle()
            while self.disk:
                self.disk_done(1)
            if self.download.complete:
                break
        assert self.download.complete, "blocks are waited for that nobody will send"
        assert sorted(self.stored) == list(range(self.geometry.piece_count))
        assert self.download.assembly.slabs.used == 0
        assert not self.download.assembly.asked
        assert not any(remote.pipeline.shared for remote in self.remotes)


# --- single cases, to be read


class Alone:
    """One pipeline of a torrent of two pieces of four blocks, the last of which is short."""

    def __init__(self) -> None:
        info, _ = info_of(2 * 65536 - 100, 65536)
        self.download = Download(1, info, Bitfield(2), Bitfield.full(2), EngineSettings(), Random(1))
        self.download.picker = Picker(2, Bitfield.full(2), Random(1), sequential=True)
        self.pipeline = deep(self.download, 1)
        self.everything = Bitfield.full(2)

    def ask(self, most: int, now: float = 0.0) -> list[Run]:
        return self.download.ask(self.pipeline, self.everything, most, now)

    def bring(self, piece: int, block: int, length: int = BLOCK, now: float = 0.0) -> None:
        place = self.pipeline.place(piece, block * BLOCK, length)
        place[:] = pattern(piece, block, length=length)
        self.pipeline.landed(place, now)

    @property
    def here(self) -> int:
        return sum(len(job.data) for job in self.download.take_jobs())


def test_a_peer_that_stalls_may_answer_every_request_that_was_taken_back() -> None:
    """Snubbed twice over the same block and asked a third time, it wakes up and sends three copies."""
    alone = Alone()
    for _ in range(3):
        assert [(run.piece, run.blocks) for run in alone.ask(1)] == [(0, range(1))]
        alone.pipeline.give_up(forgive=True)
    alone.ask(1)
    for _ in range(4):
        alone.bring(0, 0)
    assert (alone.pipeline.arrived, alone.pipeline.wasted) == (4 * BLOCK, 3 * BLOCK)
    with pytest.raises(RemoteProtocolError, match="not asked"):
        alone.bring(0, 0)


def test_a_peer_may_reject_every_request_that_was_taken_back() -> None:
    alone = Alone()
    for _ in range(2):
        alone.ask(1)
        alone.pipeline.give_up(forgive=True)
    assert [alone.pipeline.rejected(0, 0) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("piece", "begin", "length", "offence"),
    [
        (0, 0, BLOCK - 1, Offence.WRONG_BLOCK_LENGTH),
        (0, 1, BLOCK, Offence.UNASKED_BLOCK),
        (0, 0, BLOCK + 1, Offence.UNASKED_BLOCK),
        (0, 4 * BLOCK, BLOCK, Offence.UNASKED_BLOCK),
        (1, 3 * BLOCK, BLOCK, Offence.WRONG_BLOCK_LENGTH),
        (2, 0, BLOCK, Offence.UNASKED_BLOCK),
        (2**32 - 1, 2**32 - 1, 1, Offence.UNASKED_BLOCK),
    ],
)
def test_a_block_not_asked_like_that_is_an_offence(piece: int, begin: int, length: int, offence: Offence) -> None:
    """After it the peer is dropped, which must leave no block asked of nobody."""
    alone = Alone()
    assert sum(run.count for run in alone.ask(8)) == 8
    with pytest.raises(RemoteProtocolError) as caught:
        alone.pipeline.place(piece, begin, length)
    assert caught.value.offence is offence
    alone.pipeline.give_up(forgive=False)
    alone.download.check_invariants()
    assert alone.download.assembly.asked == 0


def test_a_late_block_of_the_wrong_length_is_an_offence() -> None:
    alone = Alone()
    alone.ask(1)
    alone.pipeline.give_up(forgive=True)
    with pytest.raises(RemoteProtocolError) as caught:
        alone.bring(0, 0, length=9)
    assert caught.value.offence is Offence.WRONG_BLOCK_LENGTH
    alone.download.check_invariants()
    assert alone.download.assembly.asked == 0


def test_a_late_block_is_welcome_once_and_only_if_nobody_else_is_asked_for_it() -> None:
    alone = Alone()
    other = deep(alone.download, 2)
    alone.ask(2)
    alone.pipeline.give_up(forgive=True)
    assert alone.download.ask(other, alone.everything, 1, 0.0)[0].blocks == range(1)
    alone.bring(0, 0)
    alone.bring(0, 1)
    assert alone.pipeline.wasted == BLOCK
    assert [(piece, block) for piece, block, _ in other.blocks_owed()][:1] == [(0, 0)]
    assert (0, 1) not in [(piece, block) for piece, block, _ in other.blocks_owed()]
    assert alone.download.ask(other, alone.everything, 1, 0.0)[0].blocks == range(2, 3)


def test_who_comes_first_wins_and_the_other_is_told_to_stop() -> None:
    alone = Alone()
    other = deep(alone.download, 2)
    alone.ask(8)
    runs = alone.download.ask_too(other, alone.pipeline, alone.everything, 99, 0.0)
    assert [(run.piece, run.first) for run in runs] == [(p, b) for p in (1, 0) for b in (3, 2, 1, 0)]
    assert (list(alone.pipeline.expected()), list(other.expected())) == ([], [])
    place = other.place(1, 3 * BLOCK, BLOCK - 100)
    other.landed(place, 1.0)
    assert alone.download.assembly.races.take_superfluous() == [(alone.pipeline, 1, 3)]
    assert (1, 3) not in [(piece, block) for piece, block, _ in alone.pipeline.blocks_owed()]
    assert alone.pipeline.outstanding == 7
    alone.bring(1, 3, BLOCK - 100)
    assert alone.pipeline.wasted == BLOCK - 100


class Wired(Alone):
    """As Alone, with the decoders of two peers on shared buffers."""

    def __init__(self) -> None:
        super().__init__()
        scratch = Scratch()
        self.other = deep(self.download, 2)
        self.ann = Decoder(scratch, Recorder(), None, self.pipeline)
        self.bob = Decoder(scratch, Recorder(), None, self.other)

    def share(self) -> None:
        self.ann.divert()
        self.bob.divert()
        runs = self.download.ask_too(self.other, self.pipeline, self.everything, 99, 0.0)
        assert runs


def test_who_mixes_up_the_blocks_of_runs_is_held_to_no_order_any_more() -> None:
    info, _ = info_of(2 << 20, 2 << 20)
    download = Download(1, info, Bitfield(1), Bitfield.full(1), EngineSettings(), Random(1))
    pipeline = download.pipeline(1)
    decoder = Decoder(Scratch(), Recorder(), None, pipeline)
    left = list(range(128))
    while left:
        download.ask(pipeline, Bitfield.full(1), 64, 0.0)
        group, left = left[:4], left[4:]
        for at in (group[1], group[0], group[3], group[2]):
            bring_all(decoder, Piece(0, at * BLOCK, pattern(0, at)).encode())
        assert not (pipeline.runs and pipeline.loose)
    data = b"".join(bytes(job.data) for job in download.take_jobs())
    assert data == b"".join(pattern(0, at) for at in range(128))
    assert (pipeline.outstanding, pipeline.arrived, pipeline.wasted) == (0, 2 << 20, 0)
    assert not pipeline._orderly


@pytest.mark.parametrize("step", [4, 16])
def test_runs_that_come_in_another_order_are_no_disorder(step: int) -> None:
    """A seed that reads each run with another thread is still believed within them."""
    info, _ = info_of(1 << 20, step * BLOCK)
    count = info.geometry.piece_count
    download = Download(1, info, Bitfield(count), Bitfield.full(count), EngineSettings(sequential=True), Random(1))
    pipeline = download.pipeline(1)
    pipeline._depth = 64
    decoder = Decoder(Scratch(), Recorder(), None, pipeline)
    download.ask(pipeline, Bitfield.full(count), 64, 0.0)
    for piece in [*range(1, count), 0]:
        bring_all(decoder, b"".join(Piece(piece, at * BLOCK, pattern(piece, at)).encode() for at in range(step)))
    assert pipeline._orderly
    assert pipeline.arrived == 1 << 20


EDGES = (1, 4, 5, 12, 13, 14, 5000, BLOCK, BLOCK + 12)


def bring_all(decoder: Decoder, data: bytes) -> None:
    while data:
        data = data[deliver(decoder, data, 7000) :]


@pytest.mark.parametrize("cut", EDGES)
@pytest.mark.parametrize("rival_cut", EDGES)
@pytest.mark.parametrize("when", ["shared before", "shared in the middle"])
def test_the_first_whole_copy_stays_whatever_byte_the_others_are_at(cut: int, rival_cut: int, when: str) -> None:
    """Ann is in the middle of a block when Bob, asked for it too, brings all of it; then hers ends as well."""
    wired = Wired()
    wired.ask(4)
    hers, his = (Piece(0, 3 * BLOCK, pattern(number, length=BLOCK)).encode() for number in (1, 2))
    bring_all(wired.ann, b"".join(Piece(0, at * BLOCK, pattern(0, at)).encode() for at in range(3)))
    if when == "shared before":
        wired.share()
        deliver(wired.ann, hers, cut)
    else:
        deliver(wired.ann, hers, cut)
        wired.share()
    deliver(wired.bob, his, rival_cut)
    bring_all(wired.bob, his[rival_cut:])
    bring_all(wired.ann, hers[cut:])
    [job] = wired.download.take_jobs()
    assert bytes(job.data[3 * BLOCK :]) == pattern(2, length=BLOCK)
    assert (wired.pipeline.wasted, wired.other.wasted) == (BLOCK, 0)
    assert (wired.pipeline.outstanding, wired.other.outstanding) == (0, 0)
    wired.download.check_invariants()


@pytest.mark.parametrize("cut", EDGES)
def test_a_block_that_was_half_here_when_it_was_raced_for_may_win(cut: int) -> None:
    wired = Wired()
    [run] = wired.ask(1)
    hers = Piece(0, 0, pattern(1, length=BLOCK)).encode()
    deliver(wired.ann, hers, cut)
    wired.share()
    bring_all(wired.ann, hers[cut:])
    assert bytes(run.bodies[0]) == pattern(1, length=BLOCK)
    assert wired.download.assembly.races.take_superfluous() == [(wired.other, 0, 0)]
    assert (wired.pipeline.wasted, wired.other.outstanding) == (0, 0)
    wired.download.check_invariants()


def test_half_a_block_whose_end_never_comes_holds_up_nobody() -> None:
    wired = Wired()
    [run] = wired.ask(1)
    deliver(wired.ann, Piece(0, 0, pattern(1, length=BLOCK)).encode(), 5000)
    wired.share()
    bring_all(wired.bob, Piece(0, 0, pattern(2, length=BLOCK)).encode())
    assert bytes(run.bodies[0]) == pattern(2, length=BLOCK)
    assert not wired.pipeline.waiting
    wired.download.check_invariants()


@pytest.mark.parametrize("cut", EDGES)
def test_after_giving_up_in_the_middle_of_a_block_another_peer_may_write_there(cut: int) -> None:
    wired = Wired()
    wired.ask(4)
    hers, his = (Piece(0, 0, pattern(number, length=BLOCK)).encode() for number in (1, 2))
    deliver(wired.ann, hers, cut)
    wired.ann.divert()
    wired.pipeline.give_up(forgive=True)
    [run] = wired.download.ask(wired.other, wired.everything, 1, 0.0)
    assert (run.piece, run.first) == (0, 0)
    deliver(wired.bob, his, 5000)
    deliver(wired.ann, hers[cut:], 1 << 20)
    deliver(wired.bob, his[5000:], 1 << 20)
    assert bytes(run.bodies[0]) == pattern(2, length=BLOCK)
    assert (wired.pipeline.wasted, wired.other.wasted) == (BLOCK, 0)
    wired.download.check_invariants()


@pytest.mark.parametrize("cut", EDGES)
def test_after_giving_up_in_the_middle_of_a_block_its_end_is_still_welcome(cut: int) -> None:
    wired = Wired()
    [run] = wired.ask(1)
    hers = Piece(0, 0, pattern(1, length=BLOCK)).encode()
    deliver(wired.ann, hers, cut)
    wired.ann.divert()
    wired.pipeline.give_up(forgive=True)
    deliver(wired.ann, hers[cut:], 1 << 20)
    assert bytes(run.bodies[0]) == pattern(1, length=BLOCK)
    assert (wired.pipeline.wasted, wired.pipeline.arrived) == (0, BLOCK)
    wired.download.check_invariants()


def test_the_depth_grows_with_what_comes_and_follows_the_rate_afterwards() -> None:
    info, _ = info_of(1 << 20, 1 << 20)
    download = Download(1, info, Bitfield(1), Bitfield.full(1), EngineSettings(max_requests_outstanding=40), Random(1))
    pipeline = download.pipeline(1)
    assert pipeline.room == 16
    for run in download.ask(pipeline, Bitfield.full(1), 16, 0.0):
        pipeline.landed_run(run, run.count, 0.1)
    assert pipeline.room == 32
    pipeline.steer(1e9)
    assert pipeline.room == 32  # it grows with what comes, not by a measurement
    pipeline.steer(2 * BLOCK / 1.5)
    assert pipeline.room == 4
    pipeline.steer(1e9)
    assert pipeline.room == 40
    pipeline.steer(0.0)
    assert pipeline.room == 2


def test_who_answers_late_is_asked_further_ahead_for_the_same_rate() -> None:
    """Bandwidth times delay."""
    depths = []
    for delay in (0.0, 3.0):
        info, _ = info_of(1 << 20, 1 << 20)
        download = Download(1, info, Bitfield(1), Bitfield.full(1), EngineSettings(), Random(1))
        pipeline = download.pipeline(1)
        for run in download.ask(pipeline, Bitfield.full(1), 16, 0.0):
            pipeline.landed_run(run, run.count, delay)
        assert pipeline.delay == delay
        pipeline.steer(10 * BLOCK)
        depths.append(pipeline.room)
    assert depths == [17, 32]  # and not 47 at once: it grows with what comes


def test_patience_follows_how_long_answers_take() -> None:
    alone = Alone()
    assert alone.pipeline.patience(30.0) == 30.0
    alone.ask(4)
    for block in range(4):
        alone.bring(0, block, now=6.0)
    assert alone.pipeline.patience(30.0) == 18.0  # 6 + 4 * 3
    assert alone.pipeline.patience(5.0) == 5.0
    quick = Alone()
    quick.ask(1)
    quick.bring(0, 0, now=0.1)
    assert quick.pipeline.patience(30.0) == 10.0


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=8), st.floats(0.1, 60.0))
def test_patience_stays_between_its_bounds(answers: list[float], most: float) -> None:
    alone, now = Alone(), 0.0
    for at, answer in enumerate(answers):
        piece, block = divmod(at, 4)
        alone.ask(1, now)
        now += answer
        alone.bring(piece, block, BLOCK - 100 if at == 7 else BLOCK, now)
    assert min(most, 10.0) <= alone.pipeline.patience(most) <= most


def test_requests_go_in_batches() -> None:
    alone = Alone()
    assert alone.pipeline.room == 16
    [run, *_] = alone.ask(4)
    assert alone.pipeline.room == 12
    alone.ask(4)
    alone.pipeline.limit(9)
    assert (alone.pipeline.outstanding, alone.pipeline.room) == (8, 0)
    alone.pipeline.landed_run(run, 2, 0.0)
    assert alone.pipeline.room == 3


@pytest.mark.parametrize(("piece", "room"), [(1, 4), (4, 4), (5, 5), (64, 16)])
def test_at_first_about_one_piece_is_asked_of_a_peer(piece: int, room: int) -> None:
    info, _ = info_of(64 * piece * BLOCK, piece * BLOCK)
    download = Download(1, info, Bitfield(64), Bitfield.full(64), EngineSettings(), Random(1))
    assert download.pipeline(1).room == room


@pytest.mark.parametrize(("most", "room"), [(1, 1), (5, 5), (0, 1), (10**9, 16)])
def test_a_peer_may_limit_what_it_is_asked_ahead(most: int, room: int) -> None:
    alone = Alone()
    alone.pipeline.limit(most)
    assert alone.pipeline.room == room


def test_a_snubbed_peer_is_asked_one_block_at_a_time_until_it_gives() -> None:
    alone = Alone()
    alone.ask(8)
    alone.pipeline.snubbed = True
    alone.pipeline.give_up(forgive=True)
    assert sum(run.count for run in alone.ask(16)) == 1
    assert alone.ask(16) == []
    alone.bring(0, 0, now=7.0)
    assert (alone.pipeline.snubbed, alone.pipeline.heard_at) == (False, 7.0)
    assert sum(run.count for run in alone.ask(16)) == 7


def test_what_is_half_here_counts_as_waited_for() -> None:
    alone = Alone()
    alone.ask(1)
    assert alone.pipeline.waiting
    place = alone.pipeline.place(0, 0, BLOCK)
    assert (alone.pipeline.outstanding, alone.pipeline.waiting) == (0, True)
    alone.pipeline.landed(place, 0.0)
    assert not alone.pipeline.waiting


def test_forgiveness_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_FORGIVEN", 2)
    alone = Alone()
    alone.ask(3)
    alone.pipeline.give_up(forgive=True)
    assert [alone.pipeline.rejected(0, block) for block in range(3)] == [False, True, True]


TestSwarm = Swarm.TestCase
TestSwarm.settings = settings(max_examples=120, stateful_step_count=60)
