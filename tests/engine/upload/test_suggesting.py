"""What a seed advises: everything goes out once before anything goes out twice."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.settings import EngineSettings
from bittern.engine.upload.suggesting import AHEAD, LAST_SECONDS, LOOKS, Suggesting
from bittern.testing import Playbook
from bittern.wire.messages import Choke, Have, Request, Suggest, Unchoke


def advice(play: Playbook, name: str) -> list[int]:
    return [message.piece for message in play.heard(name) if isinstance(message, Suggest)]


def test_each_peer_of_a_seed_is_told_of_other_pieces() -> None:
    with Playbook(pieces=10, have="all") as play:
        play.joins("ann").joins("bob").is_interested("ann").is_interested("bob")
        ann, bob = advice(play, "ann"), advice(play, "bob")
        assert len(ann) == len(bob) == AHEAD
        assert not set(ann) & set(bob)


def test_who_asks_for_what_it_was_told_of_is_told_of_more() -> None:
    with Playbook(pieces=10, have="all") as play:
        play.joins("ann").joins("bob").is_interested("ann")
        first = advice(play, "ann")
        play.asks("ann", first[0])
        more = advice(play, "ann")
        assert len(more) == 1
        assert more[0] not in first


def test_what_a_peer_has_or_others_have_is_not_advised() -> None:
    with Playbook(pieces=10, have="all") as play:
        play.joins("ann", have="1000000000").joins("bob", have="0111110000").is_interested("ann")
        assert sorted(advice(play, "ann")) == [6, 7, 8, 9]


def test_what_a_peer_that_left_did_not_ask_for_is_advised_to_others() -> None:
    with Playbook(pieces=4, have="all") as play:
        play.joins("ann").joins("bob").is_interested("ann").is_interested("bob")
        told = advice(play, "ann")
        assert len(told) == 4
        assert advice(play, "bob") == []
        play.joins("carl").asks("ann", told[0]).leaves("ann").asks("bob", told[0])
        assert sorted(advice(play, "bob")) == sorted(told[1:])


def test_a_peer_alone_and_one_without_the_fast_extension_hear_no_advice() -> None:
    with Playbook(pieces=4, have="all") as play:
        play.joins("ann").is_interested("ann")
        assert advice(play, "ann") == []
        play.joins("bob", fast=False).is_interested("bob")
        assert advice(play, "bob") == []


def test_advice_is_followed_before_what_is_open_and_one_piece_after_the_other() -> None:
    with Playbook(pieces=40, blocks=2) as play:
        play.joins("ann", have="1" * 40).says("ann", Suggest(30), Suggest(7)).unchokes("ann")
        asked = [message.piece for message in play.heard("ann") if isinstance(message, Request)]
        assert asked == [30] * 2 + [7] * 2


def test_advice_that_can_not_be_followed_is_passed_over() -> None:
    with Playbook(pieces=3, have="100") as play:
        play.joins("ann", have="101").says("ann", Suggest(0), Suggest(1), Suggest(2), Suggest(2), Suggest(9))
        play.unchokes("ann").expect("ann", Request(2, 0, BLOCK))


def the_last_go_out(play: Playbook, crowd: int) -> list[int]:
    """All pieces are advised to ann, and nothing is left for bob, who is served too; what ann was told."""
    names = ["ann", "bob", "carl", "dora", "eve"][:crowd]
    for name in names:
        play.joins(name)
    play.is_interested("ann")
    told = advice(play, "ann")
    for name in names[1:]:
        play.is_interested(name)
    assert len(told) == AHEAD
    return told


def test_in_a_crowd_who_gets_the_last_pieces_is_served_alone_until_it_has_them() -> None:
    with Playbook(pieces=AHEAD, have="all", settings=EngineSettings(upload_slots=2)) as play:
        told = the_last_go_out(play, 5)
        play.heard("bob")
        for piece in told:
            play.asks("ann", piece)
        for piece in told:
            assert Unchoke() not in play.heard("bob")
            play.says("ann", Have(piece))
        assert Unchoke() in play.heard("bob")


def test_nobody_waits_for_long_for_who_does_not_take_the_last_pieces() -> None:
    with Playbook(pieces=AHEAD, have="all", settings=EngineSettings(upload_slots=2)) as play:
        the_last_go_out(play, 5)
        play.heard("bob")
        play.waits(LAST_SECONDS + 1)
        assert Unchoke() in play.heard("bob")


def test_where_there_is_no_crowd_nobody_is_set_back() -> None:
    with Playbook(pieces=AHEAD, have="all", settings=EngineSettings(upload_slots=2)) as play:
        the_last_go_out(play, 4)
        heard = play.heard("bob")
        assert Unchoke() in heard
        assert Choke() not in heard


def test_what_is_looked_at_in_one_go_is_bounded_and_the_rest_has_its_turn() -> None:
    """A million pieces that all but one are out already must not hold up everybody for a second."""
    looked: list[int] = []

    def copies(piece: int) -> int:
        looked.append(piece)
        return 1 if piece else 0

    size = 3 * LOOKS
    with Playbook(pieces=1) as play:
        play.joins("ann")
        (peer,) = play.torrent.peers.values()
        peer.pieces, peer.am_choking = Bitfield(size), False
        suggesting = Suggesting(Random(1))
        suggesting.ready(size)
        for _ in range(3):
            before = len(looked)
            suggesting.advise(peer, copies, crowd=2)
            assert len(looked) - before == LOOKS
        assert sorted(looked) == list(range(size))
        assert suggesting.told(peer) == (0,)


@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(1, 30))
def test_no_piece_is_advised_to_two_peers_at_a_time(seed: int, peers: int, pieces: int) -> None:
    rng = Random(seed)
    names = [f"p{number}" for number in range(peers)]
    with Playbook(pieces=pieces, have="all") as play:
        for name in names:
            play.joins(name).is_interested(name)
        told: dict[str, list[int]] = {name: advice(play, name) for name in names}
        for _ in range(10):
            name = rng.choice(names)
            if told[name]:
                play.asks(name, told[name].pop(0))
                told[name] += advice(play, name)
            everything = [piece for advised in told.values() for piece in advised]
            assert len(everything) == len(set(everything))
            assert all(len(advised) <= AHEAD for advised in told.values())
