# Invariant: that of `peer`, for connections over uTP: whatever datagrams are lost, doubled, overtaken, changed on their
# way or made up by somebody at a peer's address.
"""Fuzz target: a torrent with up to four peers over uTP, whole: from the first datagram to the last block."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from bittern.sim.utp import SimUtp
from bittern.wire.stream import Link, LinkLost, Stream
from bittern.wire.utp.packet import DATA, FIN, HEAD, RESET, STATE, SYN, Packet, encode
from bittern.wire.utp.settings import UtpSettings
from fuzz.driver import Target
from fuzz.guest import Guest
from fuzz.plays import act, play_edit
from fuzz.swarm import KINDS, SETTINGS, Does, Role, Scene, holds, plain, play
from fuzz.target_peer import GIVING, SEEDING, SEEDS, WORDS, does, said_edit

DATAGRAM: Final = 18
"""An act: a datagram comes from a guest's address."""
TROUBLE: Final = 19
"""An act: what becomes of datagrams between a guest and us from now on."""
ECHO: Final = 20
"""An act: the last made-up datagram comes again, with some of its bytes changed."""


class _Ends:
    """The uTP of one guest."""

    def __init__(self, scene: Scene, guest: Guest) -> None:
        self._guest = guest
        self._scene = scene
        self.utp = SimUtp(guest.host, scene.paths, UtpSettings(), self)
        guest.host.end_turn = self._turn

    def _turn(self, now: float) -> None:
        self.utp.begin_turn()
        if self.utp.end_turn():
            self._guest.host.touch()

    def accepted(self, link: Link, now: float) -> Stream:
        """See Ends. Who has left takes nobody's call any more."""
        stream = self._guest.connected(link)
        if self._guest not in self._scene.guests.values():
            link.close()
        return stream

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """See Ends."""
        return self._guest.connected(link)

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """See Ends."""
        self._guest.lost_by = reason


class _Datagrams(Scene):
    """All connections are made of datagrams."""

    def __init__(self, role: Role, flags: int) -> None:
        super().__init__(
            role, flags, settings=replace(SETTINGS, utp=True, utp_first=True, tcp=bool(flags & 8)), utp=True
        )
        self._said = b""

    def newcomer(self, number: int) -> Guest:
        """As `Scene.newcomer`, with uTP."""
        guest = super().newcomer(number)
        self._ends = _Ends(self, guest)
        return guest

    def connect(self, guest: Guest) -> None:
        """A guest calls the engine."""
        self._ends.utp.connect(1, self.process.host.address)

    def more(self, who: int, kind: int, said: bytes) -> None:
        """What happens to datagrams."""
        guest = self.guest(who)
        if kind == DATAGRAM:
            self._said = said
            self.paths.send(guest.host, [said], self.process.host.address)
        elif kind == ECHO:
            changed = bytes(byte ^ (said[at] if at < len(said) else 0) for at, byte in enumerate(self._said))
            self.paths.send(guest.host, [changed], self.process.host.address)
        elif kind == TROUBLE:
            shares: Sequence[float] = [byte / 512 for byte in said[:4]] + [0.0] * 4
            for ends in ((guest.host, self.process.host), (self.process.host, guest.host)):
                path = self.paths.between(*ends)
                path.loss, path.doubled, path.overtaken, path.jitter = shares[:4]
                path.mtu = 600 + 8 * said[4] if len(said) > 4 else path.mtu
                path.silent = len(said) > 5 and bool(said[5] & 1)
        else:
            super().more(who, kind, said)


def _act(kind: int, said: bytes, who: int = 0) -> bytes:
    return act(who * KINDS + kind, said)


def _packet(kind: int, connection: int, seq: int, ack: int, payload: bytes = b"") -> bytes:
    return encode(Packet(kind, connection, 1, 1, 1 << 20, seq, ack, 0, HEAD), payload)


_PACKETS = [_packet(kind, 500 + at, 1 + at, at, b"x" * at) for at, kind in enumerate((SYN, DATA, STATE, FIN, RESET))]
_MADE_UP = b"".join(_act(DATAGRAM, packet) + _act(ECHO, b"\0\0\0\1") for packet in _PACKETS)
_BAD_LINE, _SHORT_LINE = _act(TROUBLE, b"\x30\x20\x40\x10"), _act(TROUBLE, b"\x08\0\0\0\x10\1")
_LATER = does(Does.WAIT, b"\x64\1")
_PLAYS = (
    *SEEDS[::2],
    SEEDING + _BAD_LINE + (GIVING + _LATER) * 5,
    SEEDING + _SHORT_LINE + (GIVING + _LATER) * 5,
    _MADE_UP + SEEDING + _MADE_UP + GIVING + _LATER,
    does(Does.DIALED, b"\3") + _LATER + SEEDING + _BAD_LINE + (GIVING + _LATER) * 3 + does(Does.LEAVE, b"\1"),
    SEEDING + does(Does.READ) + GIVING + _LATER * 9 + does(Does.READ) + _LATER,
    SEEDING + _act(TROUBLE, b"\xff\0\0\0") + _LATER * 20,
)
_CORPUS = tuple(bytes((number % 2, 8 + 4 + number % 2)) + each for number, each in enumerate(_PLAYS))

TARGET = Target(
    "peer_utp",
    corpus=_CORPUS,
    words=(*WORDS, *_PACKETS, _MADE_UP, _BAD_LINE, _SHORT_LINE),
    check=partial(play, roles=(holds(plain), holds(plain, "all")), make=_Datagrams),
    edits=(play_edit(_CORPUS, (said_edit,), head=2),),
    slow_seconds=4.0,
)
