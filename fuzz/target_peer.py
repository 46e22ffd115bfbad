# Invariant: whatever peers say, in any order and at any time, nothing escapes; what the engine believes to have is what
# is on the disk, its parts agree, memory stays in its limits; nobody who left is remembered as being there, and an
# honest seed completes what they left behind.
"""Fuzz target: a torrent of version 1 with up to four peers, from the handshake to the last block."""

from functools import partial

from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import (
    AllowedFast,
    BitfieldMessage,
    Cancel,
    Choke,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
)
from fuzz.driver import Target
from fuzz.plays import act, play_edit
from fuzz.swarm import KINDS, Does, holds, plain, play, super_seed
from fuzz.trees import tree_edit

_ROLES = (holds(plain), holds(plain, "all"), holds(plain, "01010"), super_seed)


def does(kind: Does, said: bytes = b"", who: int = 0) -> bytes:
    """One act."""
    return act(who * KINDS + kind, said)


def says(*messages: bytes, who: int = 0) -> bytes:
    """A guest says messages."""
    return b"".join(does(Does.FRAMED, message[4:], who) for message in messages)


HELLO = ExtendedHandshake(
    extensions={"ut_metadata": 3, "ut_pex": 4, "lt_donthave": 7, "ut_holepunch": 5},
    client="Fuzz 1.0",
    port=7000,
    request_queue=250,
    your_ip="10.1.2.3",
    ipv6="2001:db8::1",
    metadata_size=40_150,
    upload_only=False,
).encode()
_PEER = b"\x05\x06\x07\x08\x1a\xe1"
PEX = b"d5:added12:\x0a\x00\x02\x01\xc8\xd5%b7:added.f2:\x10\x047:dropped6:%be" % (_PEER, _PEER)
PUNCH = b"\x00\x01\x0a\x00\x02\x01\xc8\xd5\x00\x00\x00\x00"
ALL, NONE = HaveAll().encode(), HaveNone().encode()
SEEDING = says(ALL, Unchoke().encode())
ASKING = says(NONE, Interested().encode())
GIVING = does(Does.GIVE, b"\x64") * 4
_WAITING = does(Does.WAIT, b"\xff\x05")
_ASKS = b"".join(Request(piece, begin, 16384).encode() for piece in range(5) for begin in (0, 16384))

SEEDS = (
    SEEDING + GIVING,
    SEEDING + does(Does.LIE, b"\x64") + GIVING,
    SEEDING + does(Does.EXTENDED, b"\0" + HELLO) + GIVING + does(Does.REJECT, b"\x01") + GIVING,
    SEEDING + says(ALL, Unchoke().encode(), who=1) + does(Does.GIVE, b"\x02") + does(Does.LIE, b"\x64", 1) + GIVING,
    says(BitfieldMessage(b"\xa8").encode(), Unchoke().encode(), Have(1).encode(), Have(3).encode()) + GIVING,
    says(NONE, AllowedFast(2).encode(), Suggest(1).encode(), Have(2).encode()) + GIVING,
    SEEDING + says(Choke().encode()) + _WAITING + says(Unchoke().encode()) + GIVING + does(Does.LEAVE, b"\1"),
    SEEDING + does(Does.VOLUNTEER, b"\1\0") * 2 + _WAITING + does(Does.VOLUNTEER, b"\4\1"),
    SEEDING + does(Does.EXTENDED, b"\0" + HELLO) + says(b"\0\0\0\6\x14\7\0\0\0\1") + GIVING,
    SEEDING + does(Does.EXTENDED, b"\0" + HELLO) + does(Does.EXTENDED, b"\1" + PEX) + _WAITING + GIVING,
    ASKING + does(Does.EXTENDED, b"\0" + HELLO) + does(Does.EXTENDED, b"\4" + PUNCH) + says(Port(6881).encode()),
    ASKING + _WAITING + says(*(_ASKS[at : at + 17] for at in range(0, len(_ASKS), 17))) + _WAITING,
    ASKING + _WAITING + does(Does.RAW, _ASKS * 2) + says(Cancel(1, 0, 16384).encode(), NotInterested().encode()),
    ASKING + does(Does.READ) + _WAITING + does(Does.RAW, _ASKS * 9) + _WAITING + does(Does.READ) + _WAITING,
    ASKING + says(Request(9, 0, 16384).encode(), Request(0, 1, 99999).encode(), Reject(0, 0, 16384).encode()),
    ASKING + says(NONE, Interested().encode(), who=1) + _WAITING + says(Have(0).encode(), who=1) + _WAITING,
    does(Does.JOIN, b"\1") + says(BitfieldMessage(b"\xf8").encode(), Unchoke().encode()) + GIVING,
    does(Does.DIALED, b"\3") + SEEDING + GIVING + does(Does.PAUSE) * 2 + SEEDING + GIVING,
    does(Does.JOIN, b"\xa0") + does(Does.RAW, b"\x13BitTorrent protocol" + bytes(48)) + does(Does.JOIN, b"\x20"),
    SEEDING + does(Does.WANT, b"\7") + does(Does.GIVE, b"\3") + does(Does.WANT, b"\1") + GIVING,
    does(Does.EXTENDED, b"\0" + HELLO) + does(Does.EXTENDED, b"\2d8:msg_typei0e5:piecei0ee") * 3 + _WAITING,
)

WORDS = (
    *(message.encode()[4:] for message in (Choke(), Unchoke(), Interested(), NotInterested(), HaveAll(), HaveNone())),
    *(message.encode()[4:] for message in (Have(0), Have(4), Have(5), Request(0, 0, 16384), Cancel(0, 0, 16384))),
    *(message.encode()[4:] for message in (Reject(0, 0, 16384), AllowedFast(1), Suggest(2), Port(7000))),
    *(b"\x14\0", b"\x14\1", b"\x14\2", b"\x14\4", b"\x14\7", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0@\0", b"\0\0@\1"),
    *(_WAITING, GIVING, ASKING, SEEDING, PEX, PUNCH, HELLO),
)
KEYS = (b"m", b"p", b"v", b"reqq", b"yourip", b"ipv4", b"ipv6", b"metadata_size", b"upload_only", b"e", b"ut_pex",
        b"ut_metadata", b"ut_holepunch", b"lt_donthave", b"added", b"added.f", b"added6", b"dropped", b"msg_type",
        b"piece", b"total_size")  # fmt: skip

HEADS = tuple(bytes((role, flags)) for role in range(4) for flags in (4, 1))
PLAYS = tuple(head + seed for number, seed in enumerate(SEEDS) for head in (HEADS[number % 8], HEADS[(number + 3) % 8]))
_TREES = tree_edit(KEYS, (HELLO, PEX))


def said_edit(data: bytes, rng: object) -> bytes:
    """As `tree_edit`, of what follows the number of an extended message."""
    return data[:1] + _TREES(data[1:], rng)  # type: ignore[arg-type]  # the driver's


TARGET = Target(
    "peer",
    corpus=PLAYS,
    words=WORDS,
    check=partial(play, roles=_ROLES),
    edits=(play_edit(PLAYS, (said_edit,), head=2),),
    slow_seconds=3.0,
)
