"""Who makes room for others: who is of no use, after some time, the oldest first."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.events import PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.turnover import (
    PATIENT_ROUNDS,
    SETTLED_SECONDS,
    SPEAK_SECONDS,
    is_sated,
    least_useful,
    outranked,
    unheard,
    useless,
)
from bittern.engine.upload.choker import RECHOKE_SECONDS
from bittern.sim.network import PORT
from bittern.testing.playbook import Playbook
from bittern.wire import donthave
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.messages import BitfieldMessage, Extended, Have, Message, Piece, Request
from tests.engine.peers import make_peer

FULL = EngineSettings(listen_port=PORT, max_peers=3)


def test_interest_of_either_side_and_youth_are_reasons_to_stay() -> None:
    old, older, giver, taker, young = peers = [make_peer(number) for number in range(5)]
    old.joined_at, young.joined_at = 5.0, 50.0
    giver.am_interested = taker.peer_interested = True
    now = 5.0 + SETTLED_SECONDS
    assert useless(peers, lambda _: None, now) == [older, old]
    assert useless(peers, {old.address: 0.1, older.address: 0.9}.get, now) == [old, older], "BEP 40 decides first"


def test_peers_of_no_use_make_room_for_one_that_waits() -> None:
    with Playbook(pieces=2, settings=FULL) as play:
        play.joins("ann").joins("bob").joins("carl").waits(SETTLED_SECONDS)
        play.joins("dan", have="10", dialed=True).waits(20.0)
        play.unchokes("dan").gives("dan", 0)
        assert play.have == "10"
        assert [event.address.host for event in play.events if isinstance(event, PeerDropped)] == [
            play.actors["ann"].host.address.host
        ]


def test_nobody_has_to_leave_while_nobody_waits() -> None:
    with Playbook(settings=FULL) as play:
        play.joins("ann").joins("bob").joins("carl").waits(2 * SETTLED_SECONDS)
        assert len(play.torrent.peers) == 3


def test_who_gives_the_metadata_stays() -> None:
    with Playbook(magnet=True, settings=EngineSettings(listen_port=PORT, max_peers=1)) as play:
        play.joins("ann", extensions={"ut_metadata": 3}).waits(SETTLED_SECONDS)
        play.joins("bob", have="1", dialed=True).waits(20.0)
        assert not [event for event in play.events if isinstance(event, PeerDropped)]


def test_who_will_never_want_anything_is_sated() -> None:
    peer = make_peer()
    peer.pieces = Bitfield(2, [0])
    assert not is_sated(peer, complete=True)
    peer.says = ExtendedHandshake(upload_only=True)
    assert is_sated(peer, complete=True)
    assert not is_sated(peer, complete=False)
    peer.says = ExtendedHandshake()
    peer.pieces.fill()
    assert is_sated(peer, complete=True)


def handshakes(messages: list[Message]) -> list[ExtendedHandshake]:
    return [
        ExtendedHandshake.parse(said.payload) for said in messages if isinstance(said, Extended) and not said.ext_id
    ]


def test_a_download_that_becomes_complete_says_that_it_only_uploads() -> None:
    with Playbook(pieces=2, have="10") as play:
        play.joins("ann", have="01", extensions={}).joins("bob", have="00", extensions={})
        [first] = handshakes(play.greeting("ann"))
        assert first.upload_only is False
        play.unchokes("ann").gives("ann", 1)
        [later] = handshakes(play.heard("bob"))
        assert later.upload_only
        assert later.extensions == first.extensions


def test_two_that_only_upload_part() -> None:
    with Playbook(pieces=2, have="11") as play:
        play.joins("ann", have="10", extensions={})
        assert len(play.torrent.peers) == 1
        play.says("ann", Extended(HANDSHAKE_EXT_ID, ExtendedHandshake(upload_only=True).encode()))
        assert not play.torrent.peers


def test_a_piece_that_a_peer_lost_is_asked_of_another() -> None:
    with Playbook(pieces=1) as play:
        play.joins("ann", have="1", extensions={}).says("ann", Extended(7, donthave.encode(0))).unchokes("ann")
        assert not [message for message in play.heard("ann") if isinstance(message, Request)]
        play.joins("bob", have="1").unchokes("bob").expect("bob", Request(0, 0, BLOCK))


def test_a_piece_of_ours_that_can_not_be_read_is_taken_back() -> None:
    with Playbook(pieces=3, have="111") as play:
        play.joins("ann", extensions={donthave.NAME: 9}).is_interested("ann").heard("ann")
        disk = play.process.disk
        disk.cached = False
        disk.faults.broken = StorageError.Kind.IO
        play.says("ann", Request(1, 0, BLOCK)).waits(1.0)
        assert Extended(9, donthave.encode(1)) in play.heard("ann")
        assert play.have == "111", "nothing is fetched again before a check"
        play.joins("bob")
        assert BitfieldMessage(b"\xa0") in play.greeting("bob")
        disk.faults.broken = None
        play.torrent.resume(play.world.now)
        play.waits(1.0).says("ann", Request(1, 0, BLOCK)).waits(1.0)
        assert [message for message in play.heard("ann") if isinstance(message, (Have, Piece))] == [
            Have(1),
            play.block(1),
        ]


def test_who_wants_more_after_all_says_so() -> None:
    with Playbook(pieces=2, have="10") as play:
        play.torrent.prioritize([0], play.world.now)
        play.joins("ann", extensions={})
        assert handshakes(play.greeting("ann"))[0].upload_only
        play.torrent.prioritize([4], play.world.now)
        play.waits(0.1)
        assert handshakes(play.heard("ann"))[0].upload_only is False


def unranked(_: Address) -> None:
    """As long as nobody told us our address."""


def flowing(number: int, down: int, up: int = 0) -> Peer:
    peer = make_peer(number)
    for meter, rate in ((peer.down, down), (peer.up, up)):
        meter.add(0, 0.0)
        for second in range(1, 100):
            meter.add(rate, float(second))
    return peer


def test_the_slowest_give_way_first_and_who_has_just_come_stays() -> None:
    peers = [flowing(number, down=100 * number, up=5000 - number) for number in range(1, 76)]
    peers[0].joined_at = 99.0
    assert [peer.number for peer in least_useful(peers, unranked, 100.0, seeding=False)] == [2, 3, 4]
    assert [peer.number for peer in least_useful(peers, unranked, 100.0, seeding=True)] == [75, 74, 73]
    assert len(least_useful(peers[1:4], unranked, 100.0, seeding=False)) == 1
    assert least_useful([], unranked, 100.0, seeding=False) == []


def test_of_equals_the_lowest_rank_gives_way() -> None:
    peers = [make_peer(number) for number in range(1, 4)]
    ranks = dict(zip([peer.address for peer in peers], (0.5, 0.1, 0.9), strict=True))
    assert [peer.number for peer in least_useful(peers, ranks.get, 100.0, seeding=False)] == [2]
    assert [peer.number for peer in least_useful(peers, unranked, 100.0, seeding=True)] == [3]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8, unique=True), st.integers(0, 200))
def test_a_newcomer_takes_the_place_of_the_lowest_idle_rank_below_its_own(ranks: list[int], new: int) -> None:
    peers = [make_peer(number + 1) for number in range(len(ranks))]
    table = {peer.address: rank / 200 for peer, rank in zip(peers, ranks, strict=True)}
    newcomer = Address("10.9.9.9", 9)
    table[newcomer] = new / 200
    loser = outranked(peers, newcomer, table.get, SETTLED_SECONDS)
    lowest = min(ranks)
    assert (loser.number - 1 if loser is not None else None) == (ranks.index(lowest) if lowest < new else None)
    assert outranked(peers, newcomer, table.get, SETTLED_SECONDS - 1) is None
    assert outranked(peers, newcomer, lambda _: None, SETTLED_SECONDS) is None


def test_who_gives_or_takes_is_never_pushed_out() -> None:
    busy = flowing(1, down=1000)
    assert outranked([busy], Address("10.9.9.9", 9), lambda address: address.port / 10, 100.0) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from(["silent", "let", "wanted", "wants", "asks", "took", "metadata"]))
    )
)
def test_any_newcomer_takes_the_place_of_who_was_of_no_use_for_longest(crowd: list[tuple[float, str]]) -> None:
    peers = []
    for number, (joined_at, what) in enumerate(sorted(crowd), start=1):
        peer = make_peer(number)
        peer.joined_at, peer.am_interested = joined_at, what == "wanted"
        peer.peer_interested = what in ("wants", "let", "asks")
        peer.uploads.stint.rounds = PATIENT_ROUNDS if what in ("let", "asks", "took") else PATIENT_ROUNDS - 1
        if what == "asks":
            peer.uploads.add(0, 0, BLOCK, 1)
        peer.uploads.sent = int(what == "took")
        peer.says = ExtendedHandshake(metadata_size=1000 if what == "metadata" else None)
        peers.append(peer)
    late = 20.0 - SPEAK_SECONDS
    idle = ("silent", "let")
    silent = [number for number, (at, what) in enumerate(sorted(crowd), start=1) if what in idle and at <= late]
    gone = unheard(peers, 20.0)
    assert (gone.number if gone is not None else None) == min(silent, default=None)


def test_metadata_is_of_no_use_where_it_is_known() -> None:
    peer = make_peer()
    peer.says, peer.pieces = ExtendedHandshake(metadata_size=1000), Bitfield(2)
    assert unheard([peer], SPEAK_SECONDS) is peer


def test_who_says_nothing_loses_its_place_to_any_newcomer() -> None:
    """Nobody knows our address here, so that nobody ranks higher than anybody."""
    with Playbook(pieces=2, have="10", settings=FULL) as play:
        play.joins("ann", have="11").joins("bob").joins("carl").is_interested("carl")
        play.joins("dan").expect_drop("dan").waits(SPEAK_SECONDS)
        play.joins("eve", have="11").unchokes("eve").expect_drop("bob")
        assert (play.actors["ann"].lost_by, play.actors["carl"].lost_by, play.actors["eve"].lost_by) == (None,) * 3
        play.joins("fred").expect_drop("fred")


def test_who_says_that_it_wants_something_and_never_asks_has_its_place_for_three_rounds() -> None:
    with Playbook(pieces=2, have="11", settings=FULL) as play:
        for name in ("ann", "bob", "carl"):
            play.joins(name).is_interested(name)
        play.waits((PATIENT_ROUNDS - 2) * RECHOKE_SECONDS).joins("dan").expect_drop("dan")
        play.asks("ann", 0).waits(2 * RECHOKE_SECONDS).joins("eve").expect_drop("bob")
        assert (play.actors["ann"].lost_by, play.actors["carl"].lost_by, play.actors["eve"].lost_by) == (None,) * 3


def test_who_has_what_we_want_and_never_gives_it_keeps_its_place_for_a_minute() -> None:
    """It may be about to: only who ranks higher takes its place then, or, at times, whoever waits."""
    claimer, giver, newcomer = make_peer(1), flowing(2, down=1000), Address("10.9.9.9", 9)
    claimer.am_interested = giver.am_interested = True
    rank = {claimer.address: 0.1, giver.address: 0.0, newcomer: 0.2}.get
    crowd = [claimer, giver]
    assert unheard(crowd, 10 * SETTLED_SECONDS) is None
    assert outranked(crowd, newcomer, rank, SETTLED_SECONDS - 1) is None
    assert least_useful(crowd, rank, SETTLED_SECONDS - 1, seeding=False) == []
    assert outranked(crowd, newcomer, rank, SETTLED_SECONDS) is claimer
    assert least_useful(crowd, rank, SETTLED_SECONDS, seeding=False) == [claimer]


def test_now_and_then_the_worst_makes_room_for_one_that_waits() -> None:
    """Peers that all want something stay for minutes; then the worst is replaced, one at a time."""
    with Playbook(pieces=2, settings=FULL) as play:
        play.joins("ann", have="10").joins("bob", have="10").joins("carl", have="10").waits(SETTLED_SECONDS)
        play.joins("dan", have="11", dialed=True).waits(20.0)
        assert len(play.torrent.peers) == 3
        play.joins("eve", have="11", dialed=True).waits(30.0)
        [dropped] = [event for event in play.events if isinstance(event, PeerDropped)]
        assert "of more use" in dropped.reason
