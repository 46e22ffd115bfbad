"""Blocks that were not asked for, lies about content and about what somebody has, and blocks that never come."""

import struct
from contextlib import suppress
from itertools import count

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import Against, Fate, Misdeed, Scene
from tests.faults.rigs.torrent import BLOCK, MIB
from tests.faults.rigs.wire import HangUpError

SUGGEST, ALLOWED_FAST, LT_DONTHAVE = 13, 17, 7
LEECH_ONLY = (Against.LEECH,)


def unasked_block(scene: Scene) -> None:
    scene.join().answer(0, 0, scene.torrent.block(0, 0, BLOCK))


def giant_block(scene: Scene) -> None:
    scene.pour(scene.join(), b"\xff" * 4 + bytes((wire.PIECE,)) + bytes(MIB))


def block_beyond_the_end(scene: Scene) -> None:
    peer, _ = scene.offering()
    peer.answer(scene.torrent.pieces + 9, 0, bytes(BLOCK))


def block_between_blocks(scene: Scene) -> None:
    peer, (piece, begin, length) = scene.offering()
    peer.answer(piece, begin + 1, bytes(length))


def block_twice(scene: Scene) -> None:
    peer, (piece, begin, length) = scene.offering()
    block = scene.torrent.block(piece, begin, length)
    peer.answer(piece, begin, block)
    peer.answer(piece, begin, block)


def short_block(scene: Scene) -> None:
    peer, (piece, begin, length) = scene.offering()
    peer.answer(piece, begin, scene.torrent.block(piece, begin, length - 1))


def long_block(scene: Scene) -> None:
    peer, (piece, begin, length) = scene.offering()
    peer.answer(piece, begin, bytes(length + 1))


def empty_block(scene: Scene) -> None:
    peer, (piece, begin, _) = scene.offering()
    peer.answer(piece, begin, b"")


def reject_of_nothing(scene: Scene) -> None:
    peer = scene.join(wire.FAST)
    peer.say(wire.HAVE_ALL)
    peer.say(wire.REJECT, struct.pack(">III", 0, 0, BLOCK))


def every_block_a_lie(scene: Scene) -> None:
    peer, (piece, begin, length) = scene.offering()
    with suppress(HangUpError):
        while True:
            peer.answer(piece, begin, bytes(length))
            piece, begin, length = peer.request()


def a_lie_now_and_then(scene: Scene) -> None:
    """The second block of a piece is spoiled, the others are good."""
    peer, (piece, begin, length) = scene.offering()
    with suppress(HangUpError):
        while True:
            block = scene.torrent.block(piece, begin, length)
            peer.answer(piece, begin, bytes(length) if begin == BLOCK else block)
            piece, begin, length = peer.request()


def lies_from_many_ports(scene: Scene) -> None:
    """Four connections of one address, the last three while the first lies."""
    peers = [scene.join(wire.PLAIN, name=number) for number in range(4)]
    for peer in peers:
        peer.have_everything(scene.torrent.pieces)
        peer.say(wire.UNCHOKE)
    peer = peers[0]
    with suppress(HangUpError):
        while True:
            piece, begin, length = peer.request()
            peer.answer(piece, begin, bytes(length))


def haves_beyond_the_end(scene: Scene) -> None:
    for nth, piece in enumerate((scene.torrent.pieces, 0xFFFFFFFF)):
        scene.join(nth=nth).say(wire.HAVE, struct.pack(">I", piece))


def haves_without_end(scene: Scene) -> None:
    every = range(scene.torrent.pieces)
    scene.pour(scene.join(), b"".join(wire.message(wire.HAVE, struct.pack(">I", piece)) for piece in every))


def pieces_lost_and_found(scene: Scene) -> None:
    """BEP 54: it has them, it has them not."""
    lost = bytes((LT_DONTHAVE,))
    said = b"".join(
        wire.message(wire.EXTENDED, lost + number) + wire.message(wire.HAVE, number)
        for number in (struct.pack(">I", piece) for piece in range(scene.torrent.pieces))
    )
    scene.pour(scene.join(), said)


def bitfields_without_end(scene: Scene) -> None:
    every = b"\xff" * (scene.torrent.pieces // 8)
    scene.pour(scene.join(), wire.message(wire.BITFIELD, every) + wire.message(wire.BITFIELD, bytes(len(every))))


def all_and_none(scene: Scene) -> None:
    scene.pour(scene.join(wire.FAST), wire.message(wire.HAVE_ALL) + wire.message(wire.HAVE_NONE))


def advice(scene: Scene) -> None:
    numbers = [struct.pack(">I", piece) for piece in range(scene.torrent.pieces)]
    scene.pour(scene.join(), b"".join(wire.message(kind, n) for kind in (SUGGEST, ALLOWED_FAST) for n in numbers))


def rejects_everything(scene: Scene) -> None:
    """It has all, and will give none of it."""
    peer = scene.join(wire.FAST)
    peer.say(wire.HAVE_ALL)
    peer.say(wire.UNCHOKE)
    end = scene.ends_at()
    peer.patience(scene.seconds)
    with suppress(TimeoutError):
        while scene.goes_on(end):
            peer.say(wire.REJECT, peer.until(wire.REQUEST))


def chokes_when_asked(scene: Scene) -> None:
    """A choke voids what was asked, and an unchoke has it asked again."""
    peer, _ = scene.offering()
    end = scene.ends_at()
    while scene.goes_on(end):
        peer.say(wire.CHOKE)
        peer.say(wire.UNCHOKE)
        peer.request()


def never_answers(scene: Scene) -> None:
    for nth in range(5):
        scene.offering(nth=nth)


def half_a_block(scene: Scene) -> None:
    for nth in range(5):
        peer, (piece, begin, length) = scene.offering(nth=nth)
        head = struct.pack(">IBII", 9 + length, wire.PIECE, piece, begin)
        peer.raw(head + scene.torrent.block(piece, begin, length // 2))


def a_byte_at_a_time(scene: Scene) -> None:
    """Blocks that come, in years."""
    peer, (piece, begin, length) = scene.offering()
    block = wire.message(wire.PIECE, struct.pack(">II", piece, begin) + scene.torrent.block(piece, begin, length))
    end = scene.ends_at()
    for at in count():
        peer.raw(block[at : at + 1])
        if not scene.goes_on(end, 0.05):
            return


def never_unchokes(scene: Scene) -> None:
    for nth in range(5):
        peer = scene.join(nth=nth)
        peer.say(wire.HAVE_ALL)
        peer.until(wire.INTERESTED)


CONTENT = [
    Misdeed("a block that was not asked for", (29,), unasked_block, Fate.DROPPED, "not asked for"),
    Misdeed("a block of 4 GiB", (25,), giant_block, Fate.DROPPED, "not asked for"),
    Misdeed("a block beyond the end", (29,), block_beyond_the_end, Fate.DROPPED, "not asked for", LEECH_ONLY),
    Misdeed("a block between blocks", (29,), block_between_blocks, Fate.DROPPED, "not asked for", LEECH_ONLY),
    Misdeed("a block twice", (29,), block_twice, Fate.DROPPED, "not asked for", LEECH_ONLY),
    Misdeed("a block that is too short", (25,), short_block, Fate.DROPPED, "another length", LEECH_ONLY),
    Misdeed("a block that is too long", (25,), long_block, Fate.DROPPED, "sent a block", LEECH_ONLY),
    Misdeed("a block of nothing", (25,), empty_block, Fate.DROPPED, "wrong length", LEECH_ONLY),
    Misdeed("a reject of what was not asked for", (29,), reject_of_nothing, Fate.DROPPED, "not asked for", LEECH_ONLY),
    Misdeed("nothing but lies", (28,), every_block_a_lie, Fate.BANNED, "fails its hash", LEECH_ONLY),
    Misdeed("a lie in each piece", (28,), a_lie_now_and_then, Fate.BANNED, "fails its hash", LEECH_ONLY),
    Misdeed("lies from many ports of an address", (28,), lies_from_many_ports, Fate.BANNED, "", LEECH_ONLY),
    Misdeed("a `have` beyond the end", (18, 29), haves_beyond_the_end, Fate.DROPPED, "outside the torrent"),
    Misdeed("`have` of everything without end", (29,), haves_without_end, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("pieces lost and found without end", (29,), pieces_lost_and_found, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("bitfields without end", (29,), bitfields_without_end, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("everything and nothing without end", (29,), all_and_none, Fate.DROPPED, "after other", LEECH_ONLY),
    Misdeed("advice without end", (29,), advice, Fate.ENDURED),
    Misdeed("a reject of every request", (29,), rejects_everything, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("a choke for every request", (29,), chokes_when_asked, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("an unchoke, and no block ever", (29,), never_answers, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("half a block, and silence", (29,), half_a_block, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("blocks byte by byte", (29,), a_byte_at_a_time, Fate.ENDURED, "", LEECH_ONLY),
    Misdeed("pieces, and never an unchoke", (29,), never_unchokes, Fate.ENDURED, "", LEECH_ONLY),
]
