"""What slow peers owe and fast ones take over. The swarm around it: tests/sim/scenarios/test_picking."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.asking import top_up
from bittern.engine.download.download import Download
from bittern.engine.download.relief import AT_LEAST_SECONDS, FASTER, MEASURED_SECONDS, comes_far_sooner, spare
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.testing.playbook import Playbook
from bittern.wire.messages import Cancel, Message, Request
from tests.engine.content import info_of
from tests.engine.peers import deep, make_peer, messages_of, take_sent
from tests.wire.wiring import Recorder

PIECES, BLOCKS = 6, 4


def make(*holdings: set[int], pieces: int = PIECES) -> tuple[Download, list[Peer]]:
    """Peers that choke nobody, each with some pieces."""
    info, _ = info_of(pieces * BLOCKS * BLOCK, BLOCKS * BLOCK)
    config = EngineSettings(sequential=True)
    download = Download(1, info, Bitfield(pieces), Bitfield.full(pieces), config, Random(1))
    crowd = []
    for number, has in enumerate(holdings, 1):
        peer = make_peer(number)
        peer.pieces, peer.pipeline = Bitfield(pieces, has), deep(download, number)
        peer.pipeline.proven = True
        peer.wire.land(Recorder(), peer, peer.pipeline, lambda _: None)
        peer.peer_choking, peer.am_interested = False, True
        crowd.append(peer)
    return download, crowd


def said(peer: Peer) -> list[Message]:
    return messages_of(take_sent(peer))


def asked(peer: Peer) -> list[tuple[int, int]]:
    return [(message.piece, message.begin // BLOCK) for message in said(peer) if isinstance(message, Request)]


def rates(slow: Peer, fast: Peer, *blocks_per_second: float) -> None:
    assert slow.pipeline is not None
    assert fast.pipeline is not None
    slow.pipeline.busy_since = -60.0  # long enough for its rate to be known
    slow.pipeline.rate, fast.pipeline.rate = (BLOCK * each for each in blocks_per_second)


def test_an_idle_fast_peer_takes_the_end_of_a_slow_ones_queue_which_is_told() -> None:
    download, [slow, fast] = make({0, 1, 5}, {0, 1})
    top_up(slow, [slow, fast], download, 0.0)
    assert len(asked(slow)) == 12
    rates(slow, fast, 0.5, 100.0)
    download.assembly.allot(5, 1)  # what only the slow one has is not all asked for: no endgame
    top_up(fast, [slow, fast], download, 0.0)
    taken = asked(fast)
    # The first block is due in 2 s and stays; those of piece 5 the fast one has not.
    assert sorted(taken) == [(piece, block) for piece in (0, 1) for block in range(BLOCKS)][1:]
    assert said(slow) == [Cancel(piece, block * BLOCK, BLOCK) for piece, block in taken]
    assert slow.pipeline is not None
    assert (slow.pipeline.outstanding, download.assembly.asked) == (5, 12)
    download.check_invariants()


@pytest.mark.parametrize(("slow_rate", "fast_rate"), [(10.0, 20.0), (100.0, 10_000.0), (0.5, 0.0), (0.5, 0.2)])
def test_what_comes_nearly_as_soon_stays_where_it_is(slow_rate: float, fast_rate: float) -> None:
    download, [slow, fast] = make({0, 1, 5}, {0, 1}, pieces=7)
    top_up(slow, [slow, fast], download, 0.0)
    asked(slow)
    rates(slow, fast, slow_rate, fast_rate)
    top_up(fast, [slow, fast], download, 0.0)
    assert asked(fast) == []
    assert said(slow) == []


def test_who_is_to_bring_a_piece_alone_keeps_it() -> None:
    download, [slow, fast] = make({0, 1}, {0, 1})
    assert slow.pipeline is not None
    slow.pipeline.paroled = True
    top_up(slow, [slow, fast], download, 0.0)
    rates(slow, fast, 0.1, 100.0)
    asked(slow)
    top_up(fast, [slow, fast], download, 0.0)
    assert said(slow) == []


@pytest.mark.parametrize(("rates_of_two", "helps"), [((0.5, 0.2), True), ((0.5, 90.0), False), ((0.5, 40.0), False)])
def test_in_the_endgame_a_fast_peer_joins_two_slow_ones_that_race_each_other(
    rates_of_two: tuple[float, float], *, helps: bool
) -> None:
    """Whoever of the three comes first, the others need not send the block."""
    download, [one, two, fast] = make({0}, {0}, {0}, pieces=1)
    for peer in (one, two):
        top_up(peer, [one, two], download, 0.0)
    assert sorted(asked(two)) == sorted(asked(one))
    rates(one, two, *rates_of_two)
    assert fast.pipeline is not None
    fast.pipeline.rate = 100.0 * BLOCK
    top_up(fast, [one, two, fast], download, 0.0)
    assert sorted(asked(fast)) == [(0, block) for block in range(BLOCKS if helps else 0)]
    if helps:
        fast.pipeline.landed(fast.pipeline.place(0, 0, BLOCK), 1.0)
        spared = [asker for asker, _, _ in download.assembly.races.take_superfluous()]
        assert spared == [one.pipeline, two.pipeline]
    download.check_invariants()


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 10))
def test_a_block_changes_hands_for_much_only(theirs: float, mine: float, less: float) -> None:
    assert comes_far_sooner(theirs, mine) is (theirs - AT_LEAST_SECONDS >= mine * FASTER)
    if comes_far_sooner(theirs, mine):
        assert comes_far_sooner(theirs + less, mine)
        assert not comes_far_sooner(mine, theirs), "it would go back and forth"


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "bring", "choke", "rate", "due"]), st.integers(0, 3), st.integers(0, 40)),
    max_size=60,
)


@settings(max_examples=150)
@given(st.lists(st.sets(st.integers(0, PIECES - 1)), min_size=4, max_size=4), STEPS)
def test_no_block_is_asked_of_two_but_in_the_endgame_and_for_a_deadline(
    holdings: list[set[int]], steps: list[tuple[str, int, int]]
) -> None:
    """As the peers see it: a request not yet answered, cancelled or given up, and another for the same block."""
    download, peers = make(*holdings)
    asked_of: list[set[tuple[int, int]]] = [set() for _ in peers]

    def listen(*, endgame: bool) -> None:
        heard = [said(peer) for peer in peers]
        for mine, messages in zip(asked_of, heard, strict=True):
            for message in messages:
                if isinstance(message, Cancel):
                    mine.discard((message.piece, message.begin // BLOCK))
        for mine, messages in zip(asked_of, heard, strict=True):
            for message in messages:
                if isinstance(message, Request):
                    block = (message.piece, message.begin // BLOCK)
                    alone = not any(block in theirs for theirs in asked_of)
                    assert alone or endgame or message.piece in download.urgent.due
                    mine.add(block)

    for at, (step, number, amount) in enumerate(steps):
        peer, now = peers[number], float(at)
        pipeline, endgame = peer.pipeline, False
        assert pipeline is not None
        if step == "ask":
            top_up(peer, peers, download, now)
            endgame = download.endgame
        elif step == "rate":
            pipeline.rate = amount * BLOCK * 2.0
        elif step == "due":
            download.urgent.set(amount % PIECES, now + 3.0 if amount < 20 else None)
        elif step == "choke":
            pipeline.give_up(forgive=True)
            asked_of[number].clear()
        elif pipeline.runs and not pipeline.shared:
            run = pipeline.runs[0]
            asked_of[number].discard((run.piece, run.first + run.done))
            pipeline.landed_run(run, 1, now)
            for job in download.take_jobs():
                download.extent_done(job)
                download.piece_checked(job.piece, good=True)
        listen(endgame=endgame)
        download.check_invariants()


def test_a_reject_of_what_was_cancelled_keeps_nobody_from_being_asked() -> None:
    with Playbook(pieces=3, blocks=2) as play:
        play.joins("ann", have="110").unchokes("ann").joins("bob", have="100").unchokes("bob")
        ann = next(peer for peer in play.torrent.peers.values() if peer.pieces is not None and 1 in peer.pieces)
        owed = [message for message in play.heard("ann") if isinstance(message, Request)]
        assert len(owed) == 4
        bob = next(peer for peer in play.torrent.peers.values() if peer is not ann)
        assert ann.pipeline is not None
        assert bob.pipeline is not None
        bob.pipeline.rate = 1e6
        play.waits(MEASURED_SECONDS)  # Ann is silent
        assert {message.begin for message in play.heard("bob") if isinstance(message, Request)} == {0, BLOCK}
        cancelled = [message for message in play.heard("ann") if isinstance(message, Cancel)]
        assert {(message.piece, message.begin) for message in cancelled} == {(0, 0), (0, BLOCK)}
        play.rejects("ann", 0, 0).rejects("ann", 0, BLOCK)
        assert not ann.refusing
        play.gives("bob", 0).gives("bob", 0, BLOCK).gives("ann", 1).gives("ann", 1, BLOCK)
        assert play.have == "110"


def test_who_was_idle_until_now_is_not_taken_for_slow() -> None:
    """Its rate is that of a time when it was asked for nothing."""
    download, [slow, fast] = make({0, 1, 5}, {0, 1})
    top_up(slow, [slow, fast], download, 0.0)
    rates(slow, fast, 0.5, 100.0)
    assert slow.pipeline is not None
    slow.pipeline.busy_since = 0.0
    download.assembly.allot(5, 1)
    top_up(fast, [slow, fast], download, MEASURED_SECONDS - 0.1)
    assert asked(fast) == []
    top_up(fast, [slow, fast], download, MEASURED_SECONDS)
    assert asked(fast)


def test_for_a_web_seed_a_slow_peer_is_let_off_the_end_of_its_queue() -> None:
    """The blocks are free then, and of no one peer's piece any more."""
    download, [slow, quick] = make({0, 1, 2}, {3})
    for peer in (slow, quick):
        top_up(peer, [slow, quick], download, 0.0)
    before = asked(slow)
    assert len(asked(quick)) == BLOCKS
    rates(slow, quick, 0.1, 1000.0)
    free = spare([slow, quick], download, 100.0 * BLOCK, lambda piece: piece != 1, 5, 0.0)
    spared = [(message.piece, message.begin // BLOCK) for message in said(slow) if isinstance(message, Cancel)]
    assert spared == [block for block in reversed(before) if block[0] != 1][:5]
    assert free == 5
    assert said(quick) == []
    assert slow.pipeline is not None
    assert slow.pipeline.outstanding == len(before) - 5
    assert [piece for piece in range(PIECES) if piece in download.assembly.askable] == [0, 2]
    download.check_invariants()


@pytest.mark.parametrize(("theirs", "web"), [(10.0, 100.0), (0.1, 0.01)])
def test_for_a_web_seed_nobody_is_let_off_what_comes_nearly_as_soon(theirs: float, web: float) -> None:
    download, [slow, other] = make({0, 1, 2}, {3})
    top_up(slow, [slow, other], download, 0.0)
    asked(slow)
    rates(slow, other, theirs, 1.0)
    assert spare([slow, other], download, web * BLOCK, lambda _: True, 100, 0.0) == 0
    assert said(slow) == []
