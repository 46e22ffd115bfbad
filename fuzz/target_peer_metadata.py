# Invariant: that of `peer`, for a torrent that begins with nothing but its name: whatever peers say about the metadata,
# one honest peer is enough.
"""Fuzz target: a magnet link with up to four peers, before and after the metadata came."""

from functools import partial

from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import HaveAll, Unchoke
from fuzz.driver import Target
from fuzz.plays import play_edit
from fuzz.swarm import Does, by_name, plain, play, second, wordy
from fuzz.target_peer import ALL, ASKING, GIVING, HELLO, KEYS, PEX, SEEDING, SEEDS, WORDS, does, said_edit, says

_SIZES = (40_150, 1, 16384, 30 << 20, 16385)
_HELLOS = tuple(ExtendedHandshake(extensions={"ut_metadata": 3}, metadata_size=size).encode() for size in _SIZES)
_LATE = does(Does.WAIT, b"\x78\x05")
_TELL, _LIE = does(Does.TELL_METADATA, b"\x0a"), does(Does.LIE_METADATA, b"\x0a")
_HELLO = does(Does.EXTENDED, b"\0" + HELLO)
_REST = says(ALL, Unchoke().encode()) + GIVING


def _block(piece: int, size: int, length: int) -> bytes:
    return does(Does.EXTENDED, b"\2d8:msg_typei1e5:piecei%de10:total_sizei%dee" % (piece, size) + b"x" * length)


_PLAYS = (
    _HELLO + _TELL + _TELL + _REST,
    _HELLO + _LIE + _LATE + _TELL * 3 + _REST,
    _HELLO + does(Does.EXTENDED, b"\0" + HELLO, 1) + _TELL + does(Does.LIE_METADATA, b"\1", 1) + _LATE + _TELL * 2,
    _HELLO + does(Does.REJECT, b"\3") + _LATE * 3 + _TELL,
    _HELLO + _block(0, 40_150, 16384) + _block(1, 40_150, 16384) + _block(2, 40_150, 40_150 - 32768) + _LATE,
    _HELLO + _block(0, 30 << 20, 16384) + _block(7, 40_150, 3) + _TELL,
    *(does(Does.EXTENDED, b"\0" + hello) + _TELL + _block(0, 40_150, 16384) + _LATE for hello in _HELLOS),
    says(HaveAll().encode()) + _HELLO + _TELL * 2 + _REST,
    says(b"\0\0\0\2\5\xf8") + _HELLO + _TELL * 2 + GIVING + ASKING,
    SEEDING + does(Does.EXTENDED, b"\1" + PEX) + _HELLO + _TELL + _TELL + GIVING,
    *SEEDS[::4],
)
_ROLES = (by_name(wordy), by_name(plain), by_name(_hybrid := partial(second, hybrid=True)), by_name(_hybrid, v2=True))
_CORPUS = tuple(bytes((number % 4, 4 + number % 2)) + each for number, each in enumerate(_PLAYS))

TARGET = Target(
    "peer_metadata",
    corpus=_CORPUS,
    words=(*WORDS, _TELL, _LIE, *(b"8:msg_typei%de" % kind for kind in range(4)), b"5:piece", b"10:total_size", *KEYS),
    check=partial(play, roles=_ROLES),
    edits=(play_edit(_CORPUS, (said_edit,), head=2),),
    slow_seconds=3.0,
)
