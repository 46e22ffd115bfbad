# Invariant: whatever trackers and neighbours answer, and when, nothing escapes; no tracker is asked more than now and
# then, nobody is asked at an address where nobody may be asked, and the book of addresses keeps its limit; our own
# announce to the local network leads nowhere; when the torrents have left, nothing is under way any more.
"""Fuzz target: the announces of two torrents, over HTTP and UDP, and to the local network (BEP 3, 7, 12, 14, 15)."""

from collections import deque
from enum import IntEnum
from functools import cache
from random import Random
from typing import Final
from urllib.parse import urlsplit

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.guard import refusal
from bittern.engine.swarm.peerbook import MOST_CANDIDATES
from bittern.engine.torrent import TorrentState
from bittern.sim.content import Content, make_content, make_content_v2
from bittern.sim.host import Host
from bittern.sim.http import Reply, Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.udp import Services
from bittern.sim.world import World
from bittern.wire.announce import AnnounceReply
from bittern.wire.lsd import LocalAnnounce
from bittern.wire.tracker_udp import Announced, Connect, Connected, encode_reply, parse_request
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.target_lsd import TARGET as LSD
from fuzz.target_tracker_http import TARGET as HTTP
from fuzz.target_tracker_udp import TARGET as UDP

_UDP: Final = Address("203.0.113.77", 6969)
_WEB: Final = ("a.example", "b.example:8080")
_TIERS: Final = ("http://a.example/announce?x=1", "udp://u.example:6969/announce", "http://b.example:8080/announce")
_SETTINGS: Final = EngineSettings(listen_port=PORT, announce_to_all=True)
_QUIET_SECONDS: Final = 200.0
_MOST_ASKED: Final = 60
"""Questions that one act may lead to: what was begun before is repeated, in each family and for both hashes."""


class Does(IntEnum):
    """What happens in an act."""

    WAIT = 0
    HTTP = 1  # the next fetch is answered: a status, then a body
    HTTP_SILENT = 2
    UDP = 3  # the next datagram is answered: what is said, under its number
    UDP_RAW = 4  # a datagram comes from the tracker
    UDP_WELL = 5  # the next datagram is answered well
    LOCAL = 6  # a datagram comes from the local network
    PAUSE = 7  # a torrent is paused, or goes on
    ADD = 8  # one more tracker
    NAMES = 9  # where names lead to from now on
    UDP_OTHER = 10  # a datagram comes from somewhere else


class _Scene:
    """Two torrents, their trackers, and the answers that are prepared."""

    def __init__(self) -> None:
        self.world = World(Random, 0)
        self.network = Network(self.world)
        self.network.lan = True
        web, services = Web(), Services()
        self.host = self.network.host("engine")
        self.services = services
        self.process = SimProcess(self.host, web, _SETTINGS, services)
        self.process.strict = True
        search = self.process.core._neighbours.search  # noqa: SLF001 - by what it knows itself
        self.cookie: str = search._cookie  # noqa: SLF001 - as above
        self.http: deque[Reply | None] = deque()
        self.udp: deque[bytes | None] = deque()
        self.asked = 0
        for name in _WEB:
            web.sites[name] = self._fetched
        services.at[_UDP] = self._received
        services.names["u.example"] = (_UDP.host,)
        self.torrents = [self.process.leech(_plain()), self.process.leech(_hybrid())]

    def _fetched(self, host: Host, url: str) -> Reply | None:
        self.asked += 1
        assert url.isascii()
        assert url.isprintable()
        assert " " not in url
        assert urlsplit(url).hostname
        return self.http.popleft() if self.http else Reply(404, b"")

    def _received(self, host: Host, data: bytes) -> bytes | None:
        self.asked += 1
        said = self.udp.popleft() if self.udp else b""
        if said is None:
            request = parse_request(data)
            if isinstance(request, Connect):
                return encode_reply(Connected(request.transaction, 77))
            peers = tuple(Address(f"10.9.{number}.1", 7000) for number in range(9))
            return encode_reply(Announced(request.transaction, AnnounceReply(1800, peers=peers)))
        return said[:4] + data[12:16] + said[4:] if said else None

    def shout(self, said: bytes, host: str) -> None:
        """Somebody announces itself to the local network, or our own announce comes back."""
        before = [len(torrent.peerbook) for torrent in self.torrents]
        self.process.core.local_heard(said, host, self.world.now)
        try:
            ours = LocalAnnounce.parse(said).cookie == self.cookie
        except RemoteProtocolError:
            ours = True
        if ours:
            assert before == [len(torrent.peerbook) for torrent in self.torrents], "we found ourselves"

    def settle(self, seconds: float) -> None:
        """Time passes."""
        before, _ = self.asked, self.world.run(seconds)
        most = _MOST_ASKED * (1 + seconds / 60)
        assert self.asked - before <= most, f"{self.asked - before} questions in {seconds} s"
        for torrent in self.torrents:
            assert len(torrent.peerbook) <= MOST_CANDIDATES

    def leave(self) -> None:
        """Both torrents go."""
        for torrent in self.torrents:
            self.process.core.remove(torrent, self.world.now)
        self.host.touch()
        self.settle(_QUIET_SECONDS)
        assert not self.process.core.goodbyes, f"{self.process.core.goodbyes} announces are still under way"
        shared = self.process.core._shared  # noqa: SLF001 - what must be empty
        assert not shared.udp_trackers.lines
        assert not shared.udp_asked


def check(data: bytes) -> bool:
    """Play a play."""
    scene = _Scene()
    for kind, said in acts(data):
        _perform(scene, kind, said)
        scene.settle(0.0)
    scene.settle(60.0)
    good = any(len(torrent.peerbook) for torrent in scene.torrents)
    scene.leave()
    return good


def _perform(scene: _Scene, kind: int, said: bytes) -> None:
    now, core = scene.world.now, scene.process.core
    torrent = scene.torrents[kind >> 4 & 1]
    match kind % 16:
        case Does.WAIT:
            scene.settle(min(8000.0, sum(said[:16]) * 4.0))
        case Does.HTTP:
            scene.http.append(Reply(int.from_bytes(said[:2]), said[2:]))
        case Does.HTTP_SILENT:
            scene.http.append(None)
        case Does.UDP:
            scene.udp.append(said)
        case Does.UDP_RAW:
            core.datagram(said, _UDP, now)
        case Does.UDP_WELL:
            scene.udp += [None] * (1 + len(said) % 8)
        case Does.LOCAL:
            said = said.replace(b"%HASH", bytes(torrent.wire_hash).hex().encode())
            scene.shout(said.replace(b"%OURS", scene.cookie.encode()), f"10.0.77.{1 + (kind >> 5)}")
        case Does.PAUSE if torrent.state is TorrentState.PAUSED:
            torrent.resume(now)
        case Does.PAUSE:
            torrent.pause(now)
        case Does.ADD:
            torrent.add_trackers([said.decode(errors="replace")], now)
        case Does.NAMES:
            hosts = tuple(f"{said[at]}.{said[at + 1]}.3.4" for at in range(0, len(said[:20]) - 1, 2))
            scene.services.names["u.example"] = tuple(host for host in hosts if refusal(host, local=True) is None)
            scene.services.at = {Address(host, 6969): scene._received for host in hosts}  # noqa: SLF001 - our own
        case Does.UDP_OTHER:
            core.datagram(said, Address("198.51.100.9", 9), now)
    scene.host.touch()


@cache
def _plain() -> Content:
    return make_content(World(Random, 1), "one", size=40_000, piece_size=16384, trackers=_TIERS)


@cache
def _hybrid() -> Content:
    return make_content_v2(World(Random, 1), "two", sizes=(40_000,), piece_size=16384, trackers=_TIERS[1:], hybrid=True)


_LATER = act(Does.WAIT, b"\xff\xff")
_GOOD = [act(Does.HTTP, (200).to_bytes(2) + body) for body in HTTP.corpus[:4]]
_WELL = act(Does.UDP_WELL, b"1234567")
_SHOUT = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: %HASH\r\ncookie: x\r\n\r\n\r\n"
_CORPUS = (
    b"".join(_GOOD) + _WELL + act(Does.WAIT, b"\1") + _LATER * 3,
    _WELL + act(Does.WAIT, b"\1") + act(Does.PAUSE) + act(Does.WAIT, b"\1") + act(Does.PAUSE) + _WELL + _LATER,
    act(Does.HTTP_SILENT) * 3 + _LATER + act(Does.HTTP, (503).to_bytes(2) + b"d14:failure reason3:no!e") + _LATER * 2,
    b"".join(act(Does.UDP, data[:4] + data[8:]) for data in UDP.corpus) + _LATER * 9,
    act(Does.WAIT, b"\1") + b"".join(act(Does.UDP_RAW, data) + act(Does.UDP_OTHER, data) for data in UDP.corpus),
    act(Does.LOCAL, _SHOUT) + act(Does.LOCAL | 16, _SHOUT) + b"".join(act(Does.LOCAL, data) for data in LSD.corpus),
    act(Does.LOCAL, _SHOUT.replace(b": x", b": %OURS")) + act(Does.LOCAL | 16, _SHOUT) + _LATER,
    act(Does.ADD, b"http://c.example/announce") + act(Does.ADD, b"udp://127.0.0.1:5/x?y") + _LATER + _GOOD[0] * 2,
    act(Does.NAMES, b"\x0a\1\x7f\1\xa9\xfe\5\5") + _WELL + act(Does.WAIT, b"\1") + _LATER + act(Does.NAMES) + _LATER,
    _WELL + _LATER * 4 + act(Does.PAUSE) * 6 + act(Does.PAUSE | 16) + _LATER * 8,
)


TARGET = Target(
    "trackers",
    corpus=_CORPUS,
    words=(*HTTP.words, *UDP.words, *LSD.words, b"%HASH", b"%OURS", _WELL, _LATER, *_GOOD),
    check=check,
    edits=(play_edit(_CORPUS, HTTP.edits),),
    slow_seconds=3.0,
)
