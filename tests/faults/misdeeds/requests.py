"""Requests and other messages without end: by those who read nothing, take everything back, or may not ask at all."""

import struct
from contextlib import suppress

from bittern.wire.peerwire import MOST_UNSENT
from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import FLAT, Against, Fate, Misdeed, Scene
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, Torrent

PORT = 9
SEED_ONLY = (Against.SEED,)
MOST_WHILE_CHOKED = 2300
"""The 2,000 that a peer may ask ahead, perhaps before it heard of the choke, and 300."""
CROWD = 40
POURED_BYTES = 200_000


def request(piece: int, begin: int, length: int = BLOCK) -> bytes:
    """A request."""
    return wire.message(wire.REQUEST, struct.pack(">III", piece, begin, length))


def cancel(piece: int, begin: int, length: int = BLOCK) -> bytes:
    """A cancel."""
    return wire.message(wire.CANCEL, struct.pack(">III", piece, begin, length))


def whole(torrent: Torrent) -> bytes:
    """Requests for every block."""
    return b"".join(request(piece, begin) for piece in range(torrent.pieces) for begin in range(0, PIECE, BLOCK))


def requests_out_of_bounds(scene: Scene) -> None:
    """Each of them alone, by a peer that has the fast extension and by one that has not."""
    most = 0xFFFFFFFF
    bad = [(1 << 20, 0, BLOCK), (most, most, most), (0, PIECE, BLOCK), (0, PIECE - 1, BLOCK), (0, 0, 0)]
    bad += [(0, 0, BLOCK + 1), (0, 0, 1 << 30)]
    for nth, numbers in enumerate(bad):
        scene.join(wire.PLAIN, 2 * nth).ask(*numbers)
        scene.join(wire.FAST, 2 * nth + 1).ask(*numbers)


def requests_while_choked(scene: Scene) -> None:
    """It never says that it is interested, so it stays choked."""
    peer = scene.join(wire.FAST)
    peer.raw(request(0, 0) * MOST_WHILE_CHOKED)
    for _ in range(MOST_WHILE_CHOKED):
        assert peer.until(wire.REJECT) == struct.pack(">III", 0, 0, BLOCK)
    peer.ask(0, 0, BLOCK)


def requests_for_all_unread(scene: Scene) -> None:
    """No more than what is kept for it to read: beyond that it is taken for a flood."""
    scene.pour(scene.unchoked(), whole(scene.torrent), most=MOST_UNSENT / 2)


def requests_for_one_block_unread(scene: Scene) -> None:
    scene.pour(scene.unchoked(), request(0, 0) * 1000)


def requests_for_all_by_a_crowd(scene: Scene) -> None:
    """Who never read a byte of what they asked for."""
    for nth in range(CROWD):
        peer = scene.unchoked(nth=nth)
        peer.raw(whole(scene.torrent) * 10)


def requests_taken_back(scene: Scene) -> None:
    every = range(scene.torrent.pieces)
    scene.pour(scene.unchoked(), b"".join(request(piece, 0) + cancel(piece, 0) for piece in every))


def everything_and_then_nothing(scene: Scene) -> None:
    """All of it asked for, all of it taken back, again and again."""
    taken = b"".join(cancel(piece, at) for piece in range(scene.torrent.pieces) for at in range(0, PIECE, BLOCK))
    scene.pour(scene.unchoked(), whole(scene.torrent) + taken)


def cancels_of_parts(scene: Scene) -> None:
    """Of one byte, of no byte, of two blocks at once, of 4 GiB."""
    lengths = ((5, 1), (0, 0), (0, 2 * BLOCK), (0, 0xFFFFFFFF))
    taken = b"".join(cancel(0, begin, length) for begin, length in lengths)
    scene.pour(scene.unchoked(), request(0, 0) + request(0, BLOCK) + taken)


def cancels_of_nothing(scene: Scene) -> None:
    scene.pour(scene.join(), b"".join(cancel(piece, 0) for piece in range(scene.torrent.pieces)))


def requests_for_what_is_not_there(scene: Scene) -> None:
    scene.pour(scene.join(), request(scene.torrent.pieces - 1, 0) * 100)


def requests_read_and_dropped(scene: Scene) -> None:
    """It reads all, and asks as much again; the worst that an honest line could do."""
    peer, asked = scene.unchoked(), whole(scene.torrent)
    end = scene.ends_at()
    while scene.goes_on(end):
        peer.raw(asked)
        for _ in range(len(asked) // len(request(0, 0))):
            peer.until(wire.PIECE)


def leaves_in_the_middle(scene: Scene) -> None:
    """Takes a block, has all others on their way, and is reset; again and again."""
    end = scene.ends_at()
    while scene.goes_on(end):
        peer = scene.unchoked()
        peer.raw(whole(scene.torrent))
        peer.until(wire.PIECE)
        peer.reset()
    scene.wires.clear()


def allowed_fast_without_end(scene: Scene) -> None:
    """The pieces that it was allowed while choked, over and over, and all others."""
    peer = scene.join(wire.FAST)
    peer.say(wire.HAVE_NONE)
    scene.pour(peer, whole(scene.torrent))


def keep_alives(scene: Scene) -> None:
    scene.pour(scene.join(), bytes(40_000))


def chokes_and_unchokes(scene: Scene) -> None:
    scene.pour(scene.join(), wire.message(wire.CHOKE) + wire.message(wire.UNCHOKE))


def interest_back_and_forth(scene: Scene) -> None:
    scene.pour(scene.join(), wire.message(wire.INTERESTED) + wire.message(wire.NOT_INTERESTED))


def interest_back_and_forth_read(scene: Scene) -> None:
    """And what is answered is read, so that more is."""
    peer = scene.join()
    end = scene.ends_at()
    while scene.goes_on(end):
        peer.raw((wire.message(wire.INTERESTED) + wire.message(wire.NOT_INTERESTED)) * 500)
        assert not peer.is_hung_up_on(0.001)


def metadata_requests(scene: Scene) -> None:
    """For a part of the info dictionary, of a peer that reads none of it."""
    hello = wire.message(wire.EXTENDED, b"\0d1:md11:ut_metadatai3eee")
    peer = scene.join()
    peer.raw(hello)
    scene.pour(peer, wire.message(wire.EXTENDED, b"\2d8:msg_typei0e5:piecei0ee"))


def metadata_requests_out_of_bounds(scene: Scene) -> None:
    peer = scene.join()
    peer.raw(wire.message(wire.EXTENDED, b"\0d1:md11:ut_metadatai3eee"))
    for part in (1, 99_999_999, -1):
        peer.raw(wire.message(wire.EXTENDED, b"\2d8:msg_typei0e5:piecei%dee" % part))


def extension_handshakes(scene: Scene) -> None:
    """With 99 extensions each."""
    names = b"".join(b"3:x%02di%de" % (number, number + 1) for number in range(99))
    scene.pour(scene.join(), wire.message(wire.EXTENDED, b"\0d1:md" + names + b"ee"))


def names_without_end(scene: Scene) -> None:
    """Other extensions in each handshake, and a client of 50,000 letters with control characters."""
    end, number, peer = scene.ends_at(), 0, scene.join()
    while scene.goes_on(end):
        names = b"".join(b"8:%08di1e" % (number + more) for more in range(500))
        said = b"\0d1:md" + names + b"e1:v50000:" + b"\x1b[2J\n" * 10_000 + b"e"
        peer.raw(wire.message(wire.EXTENDED, said))
        number += 500


def messages_of_the_future(scene: Scene) -> None:
    scene.pour(scene.join(), wire.message(99, bytes(5000)) + wire.message(wire.EXTENDED, b"\x55" + bytes(5000)))


def ports_of_the_table(scene: Scene) -> None:
    """PORT, each time another."""
    scene.pour(scene.join(), b"".join(wire.message(PORT, struct.pack(">H", port)) for port in range(2000, 4000)))


def all_floods_at_once(scene: Scene) -> None:
    """By twenty peers, each of which has filled all buffers between with its kind before it is heard."""
    floods = [
        request(0, 0),
        request(0, 0) + cancel(0, 0),
        bytes(400),
        wire.message(wire.CHOKE) + wire.message(wire.UNCHOKE),
        wire.message(wire.INTERESTED) + wire.message(wire.NOT_INTERESTED),
        wire.message(wire.EXTENDED, b"\0d1:mdee"),
        wire.message(99, bytes(20)),
        wire.message(PORT, b"\7\7"),
    ]
    for nth in range(20):
        peer, data = scene.unchoked(nth=nth), floods[nth % len(floods)]
        peer.patience(0.05)
        with suppress(TimeoutError):
            peer.raw(data * (POURED_BYTES // len(data)))


REQUESTS = [
    Misdeed(
        "requests out of bounds, of nothing, of a gigabyte",
        (27,),
        requests_out_of_bounds,
        Fate.DROPPED,
        "outside the torrent",
    ),
    Misdeed("requests while choked", (26,), requests_while_choked, Fate.DROPPED, "asked for more"),
    Misdeed("requests for all, and nothing is read", (26,), requests_for_all_unread, Fate.ENDURED, against=SEED_ONLY),
    Misdeed(
        "requests for one block, and nothing is read",
        (26,),
        requests_for_one_block_unread,
        Fate.ENDURED,
        against=SEED_ONLY,
    ),
    Misdeed(
        f"requests for all by {CROWD} peers that read nothing",
        (26, 30),
        requests_for_all_by_a_crowd,
        Fate.ENDURED,
        against=SEED_ONLY,
        memory=32 * MIB + FLAT,
    ),
    Misdeed("requests that are taken back at once", (26,), requests_taken_back, Fate.ENDURED, against=SEED_ONLY),
    Misdeed(
        "everything asked for and taken back, again and again",
        (26,),
        everything_and_then_nothing,
        Fate.ENDURED,
        against=SEED_ONLY,
    ),
    Misdeed("cancels of parts of blocks", (26,), cancels_of_parts, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("cancels of what was never asked for", (26,), cancels_of_nothing, Fate.ENDURED),
    Misdeed(
        "requests for what is not there",
        (27,),
        requests_for_what_is_not_there,
        Fate.DROPPED,
        "asked for more",
        against=(Against.LEECH,),
    ),
    Misdeed(
        "as much as it can take, again and again", (26,), requests_read_and_dropped, Fate.ENDURED, against=SEED_ONLY
    ),
    Misdeed(
        "all asked for, and a reset after a block, again and again",
        (26,),
        leaves_in_the_middle,
        Fate.ENDURED,
        against=SEED_ONLY,
    ),
    Misdeed(
        "what may be asked for while choked, without end",
        (26,),
        allowed_fast_without_end,
        Fate.DROPPED,
        "asked for more",
        against=SEED_ONLY,
    ),
    Misdeed("keep-alives without end", (29,), keep_alives, Fate.ENDURED),
    Misdeed("choke and unchoke without end", (29,), chokes_and_unchokes, Fate.ENDURED),
    Misdeed("interest back and forth, unread", (29,), interest_back_and_forth, Fate.ENDURED),
    Misdeed("interest back and forth, read", (29,), interest_back_and_forth_read, Fate.ENDURED),
    Misdeed("requests for metadata without end, unread", (20,), metadata_requests, Fate.ENDURED),
    Misdeed(
        "requests for metadata that no torrent has",
        (20,),
        metadata_requests_out_of_bounds,
        Fate.DROPPED,
        "extension",
    ),
    Misdeed("extension handshakes without end", (14,), extension_handshakes, Fate.ENDURED),
    Misdeed("other extensions in each of them, and long names", (14, 33), names_without_end, Fate.ENDURED),
    Misdeed("messages that nobody knows", (25,), messages_of_the_future, Fate.ENDURED),
    Misdeed(
        "all of these floods at once, by twenty",
        (26, 29),
        all_floods_at_once,
        Fate.ENDURED,
        against=SEED_ONLY,
        memory=2 * FLAT,
    ),
    Misdeed("other nodes of the table again and again", (37,), ports_of_the_table, Fate.ENDURED),
]
