import pytest

from bittern.base.address import Address
from bittern.base.errors import NetworkError, Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.tools.lab.client import Client
from bittern.tools.lab.link import MAGNET_PROFILE, TORRENT_PROFILE, Link
from bittern.wire.messages import Choke, Have, HaveAll, Interested, Request, Unchoke
from tests.tools.lab.conftest import Pair

HASH = InfoHashV1(b"h" * 20)
HELLO = b"\x13BitTorrent protocol" + bytes(8) + HASH + b"-XX0000-abcdefghijkl"


def test_the_profiles_have_exactly_these_reserved_bytes() -> None:
    assert TORRENT_PROFILE.hex(" ") == "00 00 00 00 00 00 00 00"
    assert MAGNET_PROFILE.hex(" ") == "00 00 00 00 00 10 00 00"


def test_both_handshakes_pass_and_what_follows_is_kept(pair: Pair) -> None:
    pair.wire.send(HELLO + Have(3).encode())
    hello = pair.link.shake_hands(HASH, MAGNET_PROFILE)
    assert hello.encode() == HELLO
    assert pair.link.receive("a message", pair.link.deadline()) == Have(3)
    assert pair.wire.exactly(48) == HELLO[:20] + MAGNET_PROFILE + HASH


@pytest.mark.parametrize(
    ("answer", "offence"),
    [
        (b"\x13BitTorrent protoco1", Offence.BAD_PROTOCOL),
        (b"SSH-2.0-", Offence.BAD_PROTOCOL),
        (HELLO[:28] + b"x", Offence.WRONG_INFO_HASH),
    ],
)
def test_a_wrong_handshake_is_refused_at_its_first_wrong_byte(pair: Pair, answer: bytes, offence: Offence) -> None:
    pair.wire.send(answer)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.link.shake_hands(HASH, TORRENT_PROFILE)
    assert caught.value.offence is offence
    assert answer.hex() in pair.lines[-1]


@pytest.mark.parametrize("count", [0, 1, 67])
def test_a_short_handshake_says_how_short(pair: Pair, count: int) -> None:
    pair.wire.send(HELLO[:count])
    pair.wire.close()
    with pytest.raises(RemoteProtocolError, match=f"{count} bytes came, a handshake has 68") as caught:
        pair.link.shake_hands(HASH, TORRENT_PROFILE)
    assert caught.value.offence is Offence.SHORT_HANDSHAKE


def test_a_silent_peer_is_given_up(pair: Pair) -> None:
    pair.wire.send(HELLO[:30])
    with pytest.raises(NetworkError, match=r"did not send its handshake within 0\.3 seconds"):
        pair.link.shake_hands(HASH, TORRENT_PROFILE)


def test_keep_alives_are_passed_over_but_traced(pair: Pair) -> None:
    pair.wire.send(bytes(12) + Choke().encode())
    assert pair.link.receive("a message", pair.link.deadline()) == Choke()
    told = [line.rpartition("  ")[2] for line in pair.lines if line.startswith("<-")]
    assert told == ["KeepAlive()"] * 3 + ["Choke()"]


def test_keep_alives_do_not_buy_time(pair: Pair) -> None:
    pair.wire.send(bytes(4))
    with pytest.raises(NetworkError, match="did not send a block"):
        pair.link.receive("a block", pair.link.deadline())


def test_a_huge_message_is_refused_before_it_comes(pair: Pair) -> None:
    pair.wire.send(b"\xff\xff\xff\xff\x07")
    with pytest.raises(RemoteProtocolError) as caught:
        pair.link.receive("a block", pair.link.deadline())
    assert caught.value.offence is Offence.OVERSIZED_MESSAGE


def test_a_close_in_the_middle_says_what_was_awaited(pair: Pair) -> None:
    pair.wire.send(b"\x00\x00\x00\x05\x04\x00")
    pair.wire.close()
    with pytest.raises(NetworkError, match="closed the connection before it sent a block"):
        pair.link.receive("a block", pair.link.deadline())


def test_what_a_peer_said_before_it_closed_is_still_read(pair: Pair) -> None:
    pair.wire.send(Unchoke().encode())
    pair.wire.close()
    pair.link.send(Interested())
    pair.link.send(Request(0, 0, 1))
    assert pair.link.receive("a message", pair.link.deadline()) == Unchoke()


def test_pieces_announced_before_their_number_is_known_are_remembered(pair: Pair) -> None:
    for message in (b"\x00\x00\x00\x03\x05\xa0\x00", Have(9).encode(), Unchoke().encode()):
        pair.wire.send(message)
        pair.link.receive("a message", pair.link.deadline())
    assert pair.link.peer_choking
    pair.link.expect_pieces(12)
    assert list(pair.link.pieces) == [0, 2, 9]
    assert not pair.link.peer_choking


def test_what_comes_later_is_remembered_too(pair: Pair) -> None:
    pair.link.expect_pieces(12)
    for message in (Have(4), Unchoke(), Choke(), HaveAll()):
        pair.wire.send(message.encode())
    pair.link.receive("a message", pair.link.deadline())
    assert list(pair.link.pieces) == [4]
    pair.link.receive("a message", pair.link.deadline())
    assert not pair.link.peer_choking
    pair.link.receive("a message", pair.link.deadline())
    assert pair.link.peer_choking
    pair.link.receive("a message", pair.link.deadline())
    assert pair.link.pieces.complete


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("message", "offence"),
    [
        (b"\x00\x00\x00\x03\x05\xff\xff", Offence.BAD_BITFIELD),
        (b"\x00\x00\x00\x02\x05\xff", Offence.BAD_BITFIELD),
        (Have(12).encode(), Offence.OUT_OF_BOUNDS),
    ],
)
def test_pieces_that_do_not_exist_are_an_offence(pair: Pair, message: bytes, offence: Offence, *, early: bool) -> None:
    pair.wire.send(message)

    def learn() -> None:
        if early:
            pair.link.receive("a message", pair.link.deadline())
        pair.link.expect_pieces(12)
        pair.link.receive("a message", pair.link.deadline())

    with pytest.raises(RemoteProtocolError) as caught:
        learn()
    assert caught.value.offence is offence


def test_an_address_where_nobody_listens_is_named() -> None:
    with pytest.raises(NetworkError, match="cannot connect: ") as caught:
        Link.open(Client(), Address("127.0.0.1", 1))
    assert caught.value.__notes__ == ["127.0.0.1:1"]
