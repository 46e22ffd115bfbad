# Invariant: that of `peer`, for torrents of version 2 and hybrids, with and without their hashes: whatever peers say
# about hashes, an honest seed completes the torrent.
"""Fuzz target: a torrent of version 2 with up to four peers, hash requests and upgrades included (BEP 52)."""

from functools import partial
from random import Random

from bittern.wire.hashes import Hashes, HashRange, HashReject, HashRequest
from bittern.wire.messages import Interested
from fuzz.driver import Target
from fuzz.plays import play_edit
from fuzz.swarm import Does, holds, play, second, without_layers
from fuzz.target_peer import ALL, ASKING, GIVING, SEEDING, SEEDS, WORDS, does, said_edit, says

_v2, _hybrid = partial(second, hybrid=False), partial(second, hybrid=True)
_ROLES = (
    without_layers(_v2),
    without_layers(_hybrid),
    holds(_v2),
    holds(_hybrid),
    holds(_v2, "all"),
    holds(_hybrid, "101"),
)
_ROOTS = [file.pieces_root or b"" for file in _v2().info.files if file.pieces_root]
_LATE = does(Does.WAIT, b"\x78\x05")
_RANGES = [
    HashRange(root, base, index, length, proofs)
    for root in _ROOTS
    for base, index, length, proofs in ((1, 0, 4, 1), (0, 0, 2, 3), (1, 2, 2, 2), (0, 0, 8, 0), (1, 0, 512, 9))
]
_ASKS = [HashRequest(span).encode() for span in _RANGES]
_REFUSES = [HashReject(span).encode() for span in _RANGES]
_TELLS = [Hashes(span, Random(1).randbytes(span.answer_bytes)).encode() for span in _RANGES[:6]]
_TELL, _LIE = does(Does.TELL_HASHES, b"\x0a"), does(Does.LIE_HASHES, b"\x0a")

_PLAYS = (
    SEEDING + _TELL + GIVING + _TELL + GIVING,
    SEEDING + _LIE + _LATE + _TELL + GIVING,
    SEEDING + says(ALL, who=1) + does(Does.LIE_HASHES, b"\x0a", 1) + _TELL + GIVING + _LATE,
    SEEDING + does(Does.REJECT, b"\x64") + _LATE + GIVING,
    SEEDING + says(*_REFUSES) + says(*_TELLS) + _LATE,
    ASKING + says(*_ASKS) + _LATE + says(*_ASKS) * 6,
    does(Does.JOIN, b"\x40") + SEEDING + _TELL + GIVING + says(*_ASKS),
    does(Does.JOIN, b"\x43") + ASKING + says(Interested().encode()) + _LATE + says(*_ASKS),
    SEEDING + _TELL + does(Does.LIE, b"\2") + GIVING + _LATE + _TELL + GIVING,
    *SEEDS[::3],
)
_CORPUS = tuple(
    bytes((role, 4 + number % 2)) + each
    for number, each in enumerate(_PLAYS)
    for role in (number % 6, (number + 2) % 6)
)

TARGET = Target(
    "peer_v2",
    corpus=_CORPUS,
    words=(*WORDS, _TELL, _LIE, *_ROOTS, *(message[4:] for message in (*_ASKS[:5], *_REFUSES[:3], *_TELLS[:2]))),
    check=partial(play, roles=_ROLES),
    edits=(play_edit(_CORPUS, (said_edit,), head=2),),
    slow_seconds=3.0,
)
