from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.codec.layers import Layers
from bittern.codec.merkle import HASH_BYTES, leaf_hashes
from bittern.engine.download.blame import MOST_PIECES, Blame, Wrong
from bittern.engine.upload.leaves import answer_with, piece_of
from bittern.sim.content import make_content_v2
from bittern.sim.world import World
from bittern.wire.hashes import HashRange

PIECE = 4 * BLOCK
CONTENT = make_content_v2(World(Random, 1), sizes=(9 * PIECE + BLOCK + 7, 3 * BLOCK), piece_size=PIECE)
LAYERS = Layers(CONTENT.info, CONTENT.metainfo.piece_layers)
ALL = Bitfield.full(CONTENT.info.geometry.piece_count)


def bad_leaves(piece: int, *blocks: int) -> bytes:
    """What a copy hashes to whose `blocks` are wrong."""
    offset = CONTENT.info.geometry.offset(piece)
    data = bytearray(CONTENT.data[offset : offset + LAYERS.data_length(piece)])
    for block in blocks:
        data[block * BLOCK] ^= 1
    return leaf_hashes(data)


def honest(span: HashRange) -> bytes:
    piece = piece_of(LAYERS, span, ALL)
    assert piece is not None
    hashes = answer_with(LAYERS, piece, span, bad_leaves(piece))
    assert hashes is not None
    return hashes


@pytest.mark.parametrize(("piece", "blocks"), [(0, (1, 3)), (8, (0,)), (9, (1,)), (10, (0, 2))])
def test_the_wrong_blocks_are_named(piece: int, blocks: tuple[int, ...]) -> None:
    """Of pieces in the middle of a file, at its short end, and of a file of one piece."""
    blame = Blame(LAYERS)
    blame.failed(piece, bad_leaves(piece, *blocks))
    [span] = blame.wants_from(1, ALL)
    assert blame.owes(1, span)
    assert blame.received(1, span, honest(span)) == Wrong(piece, blocks)
    assert not blame


def test_everybody_who_has_the_piece_is_asked_once_and_the_first_answer_tells() -> None:
    blame = Blame(LAYERS)
    blame.failed(2, bad_leaves(2, 0))
    assert blame.wants_from(1, Bitfield(ALL.size, [3])) == []
    [span] = blame.wants_from(1, ALL)
    assert blame.wants_from(1, ALL) == []
    blame.rejected(1, span)
    assert blame.wants_from(1, ALL) == []
    assert blame.wants_from(2, ALL) == blame.wants_from(3, ALL) == [span]
    blame.lost(3)
    assert not blame.owes(3, span)
    assert blame.received(2, span, honest(span)) == Wrong(2, (0,))


def test_an_answer_that_comes_too_late_tells_nothing() -> None:
    blame = Blame(LAYERS)
    blame.failed(2, bad_leaves(2, 0))
    [span] = blame.wants_from(1, ALL)
    blame.settled(2)
    assert blame.received(1, span, honest(span)) is None


def test_leaves_that_do_not_make_the_piece_are_a_lie() -> None:
    blame = Blame(LAYERS)
    blame.failed(2, bad_leaves(2, 0))
    [span] = blame.wants_from(1, ALL)
    with pytest.raises(RemoteProtocolError) as caught:
        blame.received(1, span, bad_leaves(2, 0))
    assert caught.value.offence is Offence.BAD_HASHES


def test_one_block_alone_needs_no_question_and_memory_is_bounded() -> None:
    blame = Blame(LAYERS)
    blame.failed(0, bad_leaves(0, 0)[:HASH_BYTES])
    assert not blame
    many = make_content_v2(World(Random, 1), sizes=((MOST_PIECES + 9) * 2 * BLOCK,), piece_size=2 * BLOCK)
    layers = Layers(many.info, many.metainfo.piece_layers)
    blame = Blame(layers)
    for piece in range(MOST_PIECES + 9):
        blame.failed(piece, bytes(64))
    assert len(blame.wants_from(1, Bitfield.full(many.info.geometry.piece_count))) == MOST_PIECES
