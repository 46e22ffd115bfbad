# Invariant: whatever web servers answer, at any time and in any pieces, nothing escapes; what the engine believes to
# have is what is on the disk, memory stays in its limits, and an honest seed completes what they left behind.
"""Fuzz target: a torrent with web seeds, whole: which of them is asked for what, redirects, lies, and time (BEP 19)."""

import re
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Final
from zlib import crc32

from bittern.engine.torrent import Torrent
from bittern.sim.content import Content
from bittern.sim.http import Web
from bittern.sim.process import SimProcess
from bittern.wire.stream import Buffer, Link, LinkLost
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.swarm import HEAD, Role, Scene, holds, plain, second
from fuzz.target_webseed import TARGET as WEBSEED

_HOSTS: Final = ("w.example", "m.example")
_MOST_CONNECTIONS: Final = 400
_RANGE = re.compile(rb"\r\nRange: bytes=(\d+)-(\d+)\r\n", re.IGNORECASE)


class Does(IntEnum):
    """What happens in an act."""

    WELL = 0  # the next requests are answered well
    LIE = 1  # they are answered with wrong bytes
    RAW = 2  # the next request is answered with these bytes
    STATUS = 3  # it is answered with a status, and a few headers
    CLOSE = 4  # it is answered with the end of the connection
    WAIT = 5
    SAY = 6  # something is said to all connections, asked or not
    REDIRECT = 7  # the next request is sent elsewhere
    HALF = 8  # the next request is answered well for a while, and then no more
    CHUNKED = 9  # it is answered well, in chunks of sizes that are said


class _Server:
    """One connection to a server: each request is answered as was prepared."""

    def __init__(self, scene: "_Scene", link: Link) -> None:
        self._scene = scene
        self.link = link
        self.open = True
        self._room = memoryview(bytearray(4096))
        self._unparsed = bytearray()
        self._to_send = bytearray()

    def receive_buffers(self) -> Sequence[memoryview]:
        """See Stream."""
        return (self._room,)

    def received(self, count: int, now: float) -> None:
        """See Stream."""
        self._unparsed += self._room[:count]
        while self.open and (end := self._unparsed.find(b"\r\n\r\n")) >= 0:
            request = bytes(self._unparsed[: end + 4])
            del self._unparsed[: end + 4]
            answer = self._scene.answer(request)
            if answer is None:
                self.open = False
                self.link.close()
            else:
                self.say(answer)

    def say(self, data: bytes) -> None:
        """Send it."""
        self._to_send += data
        self.link.wake_sender()

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """See Stream."""
        return [bytes(self._to_send[:limit])] if self._to_send else []

    def sent(self, count: int, now: float) -> None:
        """See Stream."""
        del self._to_send[:count]

    def lost(self, reason: LinkLost, now: float) -> None:
        """See Stream."""
        self.open = False


class _Scene:
    """The torrent and its servers, and the answers that are prepared."""

    def __init__(self, role: Role, flags: int) -> None:
        self._scripts: deque[tuple[int, bytes]] = deque()
        self.servers: list[_Server] = []
        web = Web()

        def with_seeds(process: SimProcess) -> tuple[Content, Torrent]:
            content, torrent = role(process)
            for host in _HOSTS:
                machine = process.host.network.host(host)
                machine.acceptor = self
                web.servers[host] = machine.address
            torrent.web.add(
                [f"http://{host}/{content.info.name}" if flags & 8 else f"http://{host}/" for host in _HOSTS]
            )
            return content, torrent

        self.swarm = Scene(with_seeds, flags, web)

    def accepted(self, link: Link, now: float) -> _Server:
        """See Acceptor."""
        self.servers.append(_Server(self, link))
        assert len(self.servers) <= _MOST_CONNECTIONS, f"{len(self.servers)} connections were made"
        return self.servers[-1]

    def prepare(self, kind: int, said: bytes) -> None:
        """Answer the next request like that."""
        self._scripts.append((kind, said))

    def answer(self, request: bytes) -> bytes | None:
        """What a request is answered with; None for nothing more."""
        kind, said = self._scripts.popleft() if self._scripts else (Does.STATUS, b"\1\xf7")
        match kind:
            case Does.RAW:
                return said
            case Does.STATUS:
                return b"HTTP/1.1 %03d X\r\nContent-Length: 0\r\n%b\r\n\r\n" % (
                    int.from_bytes(said[:2]) % 1000,
                    said[2:],
                )
            case Does.REDIRECT:
                return b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % said
            case Does.CLOSE:
                return None
        return self._content(request, kind, said)

    def _content(self, request: bytes, kind: int, said: bytes) -> bytes:
        asked = _RANGE.search(request)
        path = request.split(b" ")[1].decode()
        file = next((each for each in self.swarm.content.info.files if path.endswith(each.path[-1])), None)
        if asked is None or file is None:
            return b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
        first, last = int(asked[1]), int(asked[2])
        body = self.swarm.content.data[file.offset + first : file.offset + last + 1]
        if kind == Does.LIE:
            body = bytes(byte ^ 1 for byte in body)
        if kind == Does.CHUNKED:
            head = b"HTTP/1.1 206 X\r\nContent-Range: bytes %d-%d/%d\r\nTransfer-Encoding: chunked\r\n\r\n"
            return head % (first, last, file.length) + _chunks(body, said)
        head = b"HTTP/1.1 206 X\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
        head %= first, last, file.length, last - first + 1
        return head + (body[: int.from_bytes(said[:2])] if kind == Does.HALF else body)


def _chunks(body: bytes, said: bytes) -> bytes:
    """`body` in chunks, some of which are as long as two bytes of `said` tell, and all the rest in one."""
    sizes = [int.from_bytes(said[at : at + 2]) for at in range(0, len(said) - 1, 2)]
    cuts = [0, *accumulate(sizes), len(body)]
    parts = [body[begin:end] for begin, end in pairwise(cuts)]
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


def check(data: bytes) -> bool:
    """Play a play."""
    if len(data) < HEAD:
        return False
    scene = _Scene(_ROLES[data[0] % len(_ROLES)], data[1])
    for kind, said in acts(data[HEAD:]):
        match kind % 16:
            case Does.WELL | Does.LIE as how:
                for _ in range(1 + len(said) % 8):
                    scene.prepare(how, said)
            case Does.WAIT:
                scene.swarm.settle(min(600.0, sum(said[:4]) / 2))
            case Does.SAY:
                for server in scene.servers:
                    if server.open:
                        server.say(said)
            case how if how <= Does.CHUNKED:
                scene.prepare(how, said)
        scene.swarm.settle()
    scene.swarm.settle(30.0)
    good = bool(scene.swarm.torrent.web.arrived)
    for server in scene.servers:
        if server.open:
            server.link.close()
    scene.swarm.ends(finish=not crc32(data) & 3)
    return good


_ROLES = (holds(plain), holds(lambda: second(hybrid=True)), holds(plain, "01010"))
_LATER = act(Does.WAIT, b"\x14\0")
_WELL, _LIE = act(Does.WELL, b"1234567"), act(Does.LIE, b"1")
_PLAYS = (
    _WELL * 3 + _LATER,
    _LIE + _LATER + _WELL + _LATER * 9,
    act(Does.WELL) + act(Does.CLOSE) + act(Does.HALF, b"\x10\0") + _LATER + _WELL + _LATER,
    act(Does.STATUS, (503).to_bytes(2) + b"Retry-After: 20") + _LATER * 4 + _WELL + _LATER,
    act(Does.REDIRECT, b"http://m.example/content") + act(Does.REDIRECT, b"/elsewhere/content") + _WELL + _LATER,
    act(Does.CHUNKED, b"\0\1\x40\0\x40\1") * 3 + act(Does.REDIRECT, b"/x/content") + act(Does.CHUNKED) * 9 + _LATER,
    act(Does.REDIRECT, b"http://127.0.0.1/") + _LATER + act(Does.REDIRECT, b"//w.example:99/") * 9 + _LATER,
    b"".join(act(Does.RAW, data) for data in WEBSEED.corpus[:6]) + _LATER,
    act(Does.SAY, b"HTTP/1.1 200 OK\r\n\r\n") + _WELL + act(Does.SAY, b"x") + _LATER,
    act(Does.RAW, b"HTTP/1.1 200 OK\r\nContent-Length: 154840\r\n\r\n" + bytes(20_000)) + _LATER * 20,
)
_CORPUS = tuple(
    bytes((number % 3, 4 + 8 * flag + number % 2)) + each for number, each in enumerate(_PLAYS) for flag in (0, 1)
)

TARGET = Target(
    "web",
    corpus=_CORPUS,
    words=(*WEBSEED.words, _LATER, _WELL, _LIE, act(Does.CLOSE), act(Does.STATUS, b"\1\x94")),
    check=check,
    edits=(play_edit(_CORPUS, head=HEAD),),
    slow_seconds=3.0,
)
