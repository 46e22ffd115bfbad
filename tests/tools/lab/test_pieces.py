import struct

import pytest

from bittern.base.errors import NetworkError, Offence, RemoteProtocolError
from bittern.codec.info import Info
from bittern.tools.lab.pieces import PIPELINE, Transfer
from bittern.wire.messages import INTERESTED, REQUEST, BitfieldMessage, Choke, Have, Piece, Reject, Request, Unchoke
from tests.tools.lab.conftest import Pair
from tests.tools.lab.fakes import BLOCK, Torrent

TORRENT = Torrent(bytes(at * 11 % 253 for at in range(100_000)), piece_size=2 * BLOCK)
INFO = Info.parse(TORRENT.raw_info)
ALL = [Piece(piece, begin, TORRENT.pieces[piece][begin : begin + BLOCK]) for piece in range(4) for begin in (0, BLOCK)
       if TORRENT.pieces[piece][begin:]]  # fmt: skip


def start(pair: Pair, *pieces: int) -> tuple[Transfer, dict[int, None], dict[int, bytes]]:
    """A transfer of `pieces` from a peer that has everything but has not unchoked us."""
    missing = dict.fromkeys(pieces or range(4))
    kept: dict[int, bytes] = {}
    pair.link.expect_pieces(4)
    pair.wire.send(BitfieldMessage(TORRENT.bitfield).encode())
    return Transfer(pair.link, INFO, missing, kept.__setitem__), missing, kept


def tell(pair: Pair, *messages: Piece | Choke | Unchoke | Have | Reject) -> None:
    pair.wire.send(b"".join(message.encode() for message in messages))


def requests(pair: Pair) -> list[Request]:
    """What was asked; the first message has to be `interested`."""
    messages = pair.sent()
    assert messages[0] == (INTERESTED, b"")
    assert {number for number, _ in messages[1:]} <= {REQUEST}
    return [Request(*struct.unpack(">III", payload)) for _, payload in messages[1:]]


def test_all_pieces_come_and_nothing_is_asked_twice(pair: Pair) -> None:
    transfer, missing, kept = start(pair)
    tell(pair, Unchoke(), *ALL)
    transfer.run()
    assert kept == dict(enumerate(TORRENT.pieces))
    assert missing == {}
    assert requests(pair) == [Request(block.piece, block.begin, len(block.block)) for block in ALL]


def test_blocks_may_come_in_any_order(pair: Pair) -> None:
    transfer, _, kept = start(pair)
    tell(pair, Unchoke(), *reversed(ALL))
    transfer.run()
    assert kept == dict(enumerate(TORRENT.pieces))
    assert list(kept) == [3, 2, 1, 0]


def test_a_pipeline_is_kept_full_and_not_more(pair: Pair) -> None:
    torrent = Torrent(bytes((2 * PIPELINE + 1) * BLOCK), piece_size=len(bytes((2 * PIPELINE + 1) * BLOCK)))
    pair.link.expect_pieces(1)
    transfer = Transfer(pair.link, Info.parse(torrent.raw_info), {0: None}, lambda *_: None)
    tell(pair, Have(0), Unchoke(), Piece(0, 0, bytes(BLOCK)))
    with pytest.raises(NetworkError, match="did not send a block"):
        transfer.run()
    assert requests(pair) == [Request(0, at * BLOCK, BLOCK) for at in range(PIPELINE + 1)]


def test_only_what_the_peer_has_is_asked_for(pair: Pair) -> None:
    pair.link.expect_pieces(4)
    kept: dict[int, bytes] = {}
    missing = dict.fromkeys(range(4))
    tell(pair, Have(3), Unchoke(), *ALL[6:])
    Transfer(pair.link, INFO, missing, kept.__setitem__).run()
    assert kept == {3: TORRENT.pieces[3]}
    assert list(missing) == [0, 1, 2]


def test_a_peer_with_nothing_of_use_is_left_at_once(pair: Pair) -> None:
    pair.link.expect_pieces(4)
    tell(pair, Have(3), Unchoke())
    Transfer(pair.link, INFO, {0: None}, lambda *_: None).run()
    assert requests(pair) == []


def test_after_a_choke_everything_unanswered_is_asked_again(pair: Pair) -> None:
    transfer, _, kept = start(pair, 0, 1)
    first, second, third, fourth = ALL[:4]
    tell(pair, Unchoke(), first, Choke(), Unchoke(), second, third, fourth)
    transfer.run()
    assert kept == {0: TORRENT.pieces[0], 1: TORRENT.pieces[1]}
    asked = requests(pair)
    assert [(one.piece, one.begin) for one in asked[4:]] == [(0, BLOCK), (1, 0), (1, BLOCK)]


def test_blocks_that_were_on_their_way_at_a_choke_count(pair: Pair) -> None:
    transfer, _, kept = start(pair, 0, 1)
    first, second, third, fourth = ALL[:4]
    tell(pair, Unchoke(), first, Choke(), second, Unchoke(), third, third, fourth)
    transfer.run()
    assert kept == {0: TORRENT.pieces[0], 1: TORRENT.pieces[1]}
    assert [(one.piece, one.begin) for one in requests(pair)[4:]] == [(1, 0), (1, BLOCK)]


def test_a_piece_that_fails_its_hash_is_an_offence_and_not_kept(pair: Pair) -> None:
    transfer, missing, kept = start(pair)
    first, second = ALL[:2]
    tell(pair, Unchoke(), first, Piece(second.piece, second.begin, bytes(BLOCK)))
    with pytest.raises(RemoteProtocolError, match="piece 0") as caught:
        transfer.run()
    assert caught.value.offence is Offence.CORRUPT_DATA
    assert kept == {}
    assert 0 in missing


@pytest.mark.parametrize(
    ("block", "offence"),
    [
        (Piece(9, 0, bytes(BLOCK)), Offence.UNASKED_BLOCK),
        (Piece(0, 5, bytes(BLOCK)), Offence.UNASKED_BLOCK),
        (Piece(0, 0, bytes(BLOCK - 1)), Offence.WRONG_BLOCK_LENGTH),
        (Piece(3, 0, bytes(BLOCK)), Offence.WRONG_BLOCK_LENGTH),
    ],
)
def test_a_block_that_answers_nothing_is_an_offence(pair: Pair, block: Piece, offence: Offence) -> None:
    transfer, _, _ = start(pair)
    tell(pair, Unchoke(), block)
    with pytest.raises(RemoteProtocolError) as caught:
        transfer.run()
    assert caught.value.offence is offence


def test_a_peer_that_never_unchokes_is_given_up(pair: Pair) -> None:
    transfer, _, _ = start(pair)
    tell(pair, Have(1))
    with pytest.raises(NetworkError, match="did not send `unchoke` within"):
        transfer.run()
    assert requests(pair) == []


def test_a_reject_ends_it_but_only_for_what_was_asked(pair: Pair) -> None:
    transfer, _, _ = start(pair)
    tell(pair, Reject(9, 0, BLOCK), Unchoke(), Reject(9, 0, BLOCK), Reject(1, 0, BLOCK))
    with pytest.raises(NetworkError, match="refuses to send piece 1"):
        transfer.run()


def test_nothing_is_said_when_nothing_is_missing(pair: Pair) -> None:
    pair.link.expect_pieces(4)
    Transfer(pair.link, INFO, {}, lambda *_: None).run()
    assert pair.sent() == []
