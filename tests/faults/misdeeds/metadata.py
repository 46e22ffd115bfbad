"""Lies about what a torrent is made of (BEP 9), told to one who has a link alone; hashes that nobody asked for."""

import struct
from contextlib import suppress

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import ALL, Against, Fate, Misdeed, Scene
from tests.faults.rigs.teller import PART, Teller
from tests.faults.rigs.torrent import BLOCK, MIB, info_of, tree_of
from tests.faults.rigs.wire import HangUpError

LINK, TREE = (Against.LINK,), (Against.TREE,)
ALL_OF_2 = bytes(a | b for a, b in zip(ALL, bytes(7) + b"\x10", strict=True))
"""All that we speak, and that we know version 2."""
MOST = 30 * MIB
FEW = MIB
"""Bytes of questions whose answers fit into the buffers between."""
ROW = b"\xab" * 32 + struct.pack(">IIII", 0, 0, 2, 1)
HASH_REQUEST, HASHES, HASH_REJECT = 21, 22, 23


def teller_of(scene: Scene, size: int | None = None, nth: int = 0) -> Teller:
    """A peer that says it knows; the true metadata is in it."""
    return Teller(scene.connect(nth), info_of(scene.torrent.data), size, b"-HO0000-%012d" % nth)


def lies(scene: Scene) -> None:
    teller = teller_of(scene)
    teller.tell(teller.asked(), bytes(len(teller.raw)))


def changes_the_size(scene: Scene) -> None:
    teller = teller_of(scene)
    teller.tell(teller.asked(), bytes(PART), len(teller.raw) + PART)


def short_part(scene: Scene) -> None:
    teller = teller_of(scene)
    teller.tell(teller.asked(), b"short")


def part_that_nobody_asked_for(scene: Scene) -> None:
    teller = teller_of(scene, 0)
    teller.tell(0, bytes(PART), len(teller.raw))


def giant_of_zeros(scene: Scene) -> None:
    """It says 30 MiB, and tells what it is asked for: memory follows what comes, and it is found out at the end."""
    teller = teller_of(scene, MOST)
    for _ in range(MOST // PART):
        teller.tell(teller.asked(), bytes(PART))


def giant_and_silent(scene: Scene) -> None:
    """Memory does not follow what it claims."""
    for nth in range(10):
        teller_of(scene, MOST, nth).asked()


def senseless_sizes(scene: Scene) -> None:
    """Nothing is asked for."""
    for nth, size in enumerate((0, MOST + 1, 2**62)):
        teller = teller_of(scene, size, nth)
        scene.wires[-1].patience(0.1)
        with suppress(TimeoutError):
            raise AssertionError(teller.asked())


def refuses(scene: Scene) -> None:
    """Every part, for ever: it is asked at a pace."""
    teller, asked = teller_of(scene), 0
    scene.wires[-1].patience(max(scene.seconds, 0.5))
    end = scene.ends_at()
    with suppress(TimeoutError):
        while scene.goes_on(end):
            teller.refuse(teller.asked())
            asked += 1
    assert asked < 100


def bomb_of_bencode(scene: Scene) -> None:
    """Lists in lists, a length of gigabytes, in the message of a part."""
    for nth, bomb in enumerate((b"l" * 20_000, b"d8:msg_type9999999999:")):
        teller = teller_of(scene, nth=nth)
        teller.asked()
        scene.wires[-1].say(wire.EXTENDED, bytes((teller.theirs,)) + bomb)


def haves_before_the_metadata(scene: Scene) -> None:
    """A million pieces of a torrent of which nobody knows how many it has."""
    peer = scene.join(ALL)
    said = b"".join(wire.message(wire.HAVE, struct.pack(">I", piece)) for piece in range(0, 2_000_000, 20))
    with suppress(HangUpError):
        peer.raw(said)


def metadata_that_is_here(scene: Scene) -> None:
    """Parts without end, of a torrent that is known."""
    head = b"d8:msg_typei1e5:piecei0e10:total_sizei16384ee"
    scene.pour(scene.join(), wire.message(wire.EXTENDED, b"\2" + head + bytes(PART)))


def questions_about_trees(scene: Scene) -> None:
    """Of a torrent of version 1: each is refused."""
    scene.pour(scene.join(), wire.message(HASH_REQUEST, ROW), FEW)


def answers_that_are_never_read(scene: Scene) -> None:
    """As before, until it is enough."""
    peer, asked = scene.join(), wire.message(HASH_REQUEST, ROW) * 1000
    with suppress(HangUpError):
        while True:
            peer.raw(asked)


def rows_that_no_tree_has(scene: Scene) -> None:
    for nth, numbers in enumerate(((0, 0, 0, 0), (0, 1, 2, 0), (0, 0, 3, 0), (200, 0, 2, 0), (0, 0, 2, 200))):
        scene.join(nth=nth).say(HASH_REQUEST, b"\xab" * 32 + struct.pack(">IIII", *numbers))


def hashes_that_nobody_asked_for(scene: Scene) -> None:
    scene.join(nth=0).say(HASHES, ROW + bytes(3 * 32))
    scene.join(nth=1).say(HASH_REJECT, ROW)


def asks_of(scene: Scene, base: int, length: int, proofs: int) -> list[bytes]:
    """Questions for all rows of a layer, each right by itself."""
    root, _ = tree_of(scene.torrent.data)
    width = len(scene.torrent.data) // BLOCK >> base
    rows = [struct.pack(">IIII", base, at, length, proofs) for at in range(0, width, length)]
    return [wire.message(HASH_REQUEST, root + row) for row in rows]


def rows_without_end(scene: Scene) -> None:
    """The hashes of pieces, with their proofs, unread."""
    scene.pour(scene.join(ALL_OF_2), b"".join(asks_of(scene, 2, 4, 2)), FEW)


def leaves_without_end(scene: Scene) -> None:
    """Which have to be read and hashed for each answer; read, so that more is asked for."""
    peer, asked = scene.join(ALL_OF_2), asks_of(scene, 0, 4, 2)
    end = scene.ends_at()
    while scene.goes_on(end):
        peer.raw(b"".join(asked))
        answered = 0
        while answered < len(asked):
            answered += peer.next()[0] in (HASHES, HASH_REJECT)


def hashes_of_a_tree_unasked(scene: Scene) -> None:
    """True ones, even."""
    root, layer = tree_of(scene.torrent.data)
    scene.join(ALL_OF_2).say(HASHES, root + struct.pack(">IIII", 2, 0, len(layer) // 32, 0) + layer)


METADATA = [
    Misdeed("metadata that fails its hash", (20,), lies, Fate.BANNED, "fails its hash", LINK),
    Misdeed("a size of metadata that changes", (20,), changes_the_size, Fate.DROPPED, "", LINK),
    Misdeed("a part of metadata that is too short", (20,), short_part, Fate.DROPPED, "", LINK),
    Misdeed("a part that nobody asked for", (20,), part_that_nobody_asked_for, Fate.DROPPED, "", LINK),
    Misdeed("30 MiB of zeros", (20,), giant_of_zeros, Fate.BANNED, "fails its hash", LINK, memory=3 * MOST),
    Misdeed("30 MiB that never come, by ten", (20,), giant_and_silent, Fate.ENDURED, "", LINK),
    Misdeed("sizes without sense", (20,), senseless_sizes, Fate.ENDURED, "", LINK),
    Misdeed("a refusal of every part", (20,), refuses, Fate.ENDURED, "", LINK),
    Misdeed("bombs in place of metadata", (14, 20), bomb_of_bencode, Fate.DROPPED, "extension", LINK),
    Misdeed("`have` of a million pieces, before", (20,), haves_before_the_metadata, Fate.ENDURED, "", LINK),
    Misdeed("metadata that is here already", (20,), metadata_that_is_here, Fate.ENDURED),
    Misdeed("questions about trees that there are not", (19,), questions_about_trees, Fate.ENDURED),
    Misdeed(
        "questions whose answers are never read",
        (26,),
        answers_that_are_never_read,
        Fate.DROPPED,
        "does not read",
        slow=True,
    ),
    Misdeed("rows that no tree has", (19,), rows_that_no_tree_has, Fate.DROPPED, "no tree can have"),
    Misdeed("rows of hashes without end, unread", (19,), rows_without_end, Fate.ENDURED, "", TREE),
    Misdeed("leaves without end, which have to be read", (19,), leaves_without_end, Fate.ENDURED, "", TREE),
    Misdeed("true hashes, unasked", (19,), hashes_of_a_tree_unasked, Fate.DROPPED, "not asked for", TREE),
    Misdeed("hashes that nobody asked for", (19,), hashes_that_nobody_asked_for, Fate.DROPPED, "not asked for"),
]
