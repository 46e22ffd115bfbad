# Invariant: whatever a router answers, and when, nothing escapes; what is let in is what it granted to that port of
# ours, and no longer than it said; it is asked so often and no more; in the end an honest router maps every port, and
# what is taken back is.
"""Fuzz target: the conversation with a router by PCP and NAT-PMP, with all its state, and time (RFC 6886, 6887)."""

from collections import deque
from enum import IntEnum
from random import Random

from bittern.engine.nat.control import PortControl
from bittern.engine.nat.lease import wishes_for
from bittern.wire import pcp
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.routers import DatagramRouter, Grants
from fuzz.target_natpmp import TARGET as NATPMP

_PORTS = (4321, 4322)
_MOST_TURNS = 2000
_MOST_ASKED = 32
"""Questions that may follow at once from what a router says, whatever that is, with all that are repeated."""
_PER_MINUTE = 20
_RECOVERY_SECONDS = 4000.0
"""Until the ports are mapped once the router is honest, whatever it said before."""
_RELEASE_SECONDS = 300.0


class Does(IntEnum):
    """What happens in an act."""

    WAIT = 0
    ANSWER = 1  # the router answers questions that wait, well but as it likes
    REFUSE = 2
    RAW = 3  # it says any bytes
    REPEAT = 4  # it says again what it said before
    IGNORE = 5  # questions are lost
    CROSS = 6  # an answer to the question of another
    RESTART = 7  # it forgets what it granted, and begins to count anew
    VERSION = 8  # it says which protocol it does not know


class _Scene:
    """One conversation, and what must hold of it."""

    def __init__(self, flags: int) -> None:
        rng = Random(flags)
        ours = "2001:db8::5" if flags & 1 else "192.168.1.20"
        self.now = 0.0
        self.wishes = wishes_for(_PORTS[0], _PORTS[flags >> 1 & 1], 999 if flags & 4 else 0)[: 1 + (not flags & 8)]
        self.control = PortControl(ours, self.wishes, rng.randbytes, 0.0)
        self.router = DatagramRouter()
        self.router.speaks_pcp = not flags & 16
        self.granted = Grants()
        self.waiting: deque[bytes] = deque(maxlen=50)
        self.said: deque[bytes] = deque(maxlen=50)
        self.grants: deque[bytes] = deque(maxlen=4)
        self.asked: deque[float] = deque()
        self.honest = False
        self.late = 1 + (flags >> 5 & 3)
        self.control.advance(0.0)
        self.turn()

    def turn(self) -> None:
        """What is to be asked is, and looked at."""
        out = self.control.take_datagrams()
        for data in out:
            assert len(data) <= pcp.MAX_DATAGRAM
            self.asked.append(self.now)
            if self.honest:
                self.hear(self.router.answer(data, self.now))
            else:
                self.waiting.append(data)
        while self.asked and self.asked[0] <= self.now - 60:
            self.asked.popleft()
        assert len(self.asked) <= _MOST_ASKED + _PER_MINUTE, f"{len(self.asked)} questions in a minute"
        for lease in self.control.leases:
            granted = self.granted.until(lease)
            assert granted > self.now, f"{lease} was granted until {granted}, and it is {self.now}"

    def hear(self, data: bytes | None) -> None:
        """The router says something."""
        if data is None:
            return
        self.said.append(data)
        if self.granted.note(data, self.now):
            self.grants.append(data)
        self.control.receive(data, self.now)
        self.turn()

    def passes(self, seconds: float) -> None:
        """Time passes."""
        until = self.now + seconds
        for _ in range(_MOST_TURNS):
            due = self.control.next_deadline()
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            self.control.advance(self.now)
            self.turn()
        raise AssertionError(f"{_MOST_TURNS} turns in {seconds:g} s")

    def ends(self) -> None:
        """Once the router is honest, all is well; and what is taken back is."""
        self.waiting.clear()
        self.honest = True
        self.passes(_RECOVERY_SECONDS)
        for wish in self.wishes:
            there = self.router.lets_in(wish.carrier, wish.port, self.now)
            assert there, f"nothing is let in for {wish}"
            held = [lease.external_port for lease in self.control.leases if lease.carrier is wish.carrier]
            assert held == [there], f"{held} are believed to lead to {wish}, and {there} does"
        self.honest = False
        self.control.release(self.now)
        self.turn()
        self.waiting.clear()  # the first word of it is lost, and what was said before comes late, or twice
        for data in list(self.grants)[-self.late :]:
            self.hear(data)
        self.honest = True
        self.passes(_RELEASE_SECONDS)
        assert not self.control.leases
        assert not any(self.router.lets_in(wish.carrier, wish.port, self.now) for wish in self.wishes)


def check(data: bytes) -> bool:
    """A byte that says what is asked for and of whom; a play follows."""
    scene = _Scene(data[0] if data else 0)
    for kind, said in acts(data[1:]):
        _perform(scene, kind % 16, said)
    good = bool(scene.control.leases)
    scene.ends()
    return good


def _perform(scene: _Scene, kind: int, said: bytes) -> None:
    waiting = scene.waiting
    match kind:
        case Does.WAIT:
            scene.passes(min(9000.0, sum(said[:12]) * (said[0] if said else 1) / 10))
        case Does.ANSWER | Does.REFUSE:
            for number in range(1 + (said[4] if len(said) > 4 else 0) % 30):
                if waiting:
                    scene.router.born += 100.0 * number * (len(said) > 5)
                    how = said if kind == Does.ANSWER else (said + bytes(3))[:3] + bytes((1 + sum(said[:1]) % 14,))
                    scene.hear(scene.router.answer(waiting.popleft(), scene.now, how))
        case Does.RAW:
            scene.hear(said)
        case Does.REPEAT if scene.said:
            for _ in range(1 + len(said) % 40):
                scene.hear(scene.said[(said[0] if said else 0) % len(scene.said)])
        case Does.IGNORE:
            waiting.clear()
        case Does.CROSS if waiting:
            question = bytearray(waiting[0])
            for at, value in zip(said[::2], said[1::2], strict=False):
                question[at % len(question)] ^= value
            if question[0] in (0, 2) and question[1] in (0, 1, 2) and (question[0] == 0 or len(question) == 60):
                scene.hear(DatagramRouter().answer(bytes(question).ljust(12, b"\0"), scene.now))
        case Does.RESTART:
            scene.router.held.clear()
            scene.router.born = scene.now
        case Does.VERSION:
            scene.router.speaks_pcp = not scene.router.speaks_pcp


_WELL = act(Does.ANSWER)
_LATER = act(Does.WAIT, b"\x5f\x5f")
_PLAYS = (
    _WELL * 2 + _LATER + _WELL * 2,
    act(Does.ANSWER, b"\0\0\0\0\5") + _LATER + act(Does.RESTART) + _WELL * 2 + _LATER + _WELL,
    act(Does.VERSION) + _WELL * 4 + _LATER + act(Does.VERSION) + _WELL * 3,
    act(Does.REFUSE, b"\2") + _WELL + _LATER + act(Does.REFUSE, b"\6\0\0") + _LATER * 3,
    act(Does.IGNORE) + _LATER + act(Does.IGNORE) + _LATER + _WELL * 3,
    act(Does.ANSWER, b"\2\1") + act(Does.WAIT, b"\5") + _WELL + act(Does.REPEAT, b"12") + act(Does.ANSWER, b"\1\5\0"),
    act(Does.ANSWER, b"\0\0\x7f\0\x1d\1") * 5,
    act(Does.ANSWER, b"\4\0\x85\0") + act(Does.ANSWER, b"\0\0\x90\0\x1d") + _LATER,
    act(Does.CROSS, b"\x24\x17") + act(Does.CROSS, b"\x28\1") + act(Does.CROSS, b"\x18\1") + _WELL,
    b"".join(act(Does.RAW, data) for data in NATPMP.corpus) + _WELL + _LATER,
)
_CORPUS = tuple(bytes((flags,)) + each for number, each in enumerate(_PLAYS) for flags in (number % 8, 16 + number % 7))

TARGET = Target(
    "gateway",
    corpus=_CORPUS,
    words=(
        *NATPMP.words,
        _WELL,
        _LATER,
        act(Does.ANSWER, b"\0\0\x85\0\x1d"),
        act(Does.REFUSE, b"\1"),
        act(Does.REPEAT),
    ),
    check=check,
    edits=(play_edit(_CORPUS, head=1),),
)
