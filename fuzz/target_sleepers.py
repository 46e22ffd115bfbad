# Invariant: whatever neighbours, callers and trackers say to torrents that sleep, and whenever they wake up, or do not,
# nothing escapes; who is called sleeps here; nobody hears of a private torrent, or of others more than once a minute;
# who waits has its bounds and is let in or given up; an honest neighbour finds every torrent, and in the end none is
# known by any name.
"""Fuzz target: torrents that sleep: announces of the local network, connections and trackers that call them, time."""

from collections import deque
from dataclasses import replace
from enum import IntEnum
from functools import cache
from random import Random
from typing import Final

from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.bencode import decode, encode
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import Event, SleeperCalled
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.lsd import LEAST_SECONDS
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent
from bittern.sim.content import Content, make_content, make_content_v2
from bittern.sim.host import Host
from bittern.sim.http import Reply, Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from bittern.wire.handshake import Handshake
from bittern.wire.lsd import LocalAnnounce
from fuzz.driver import Target
from fuzz.guest import Guest
from fuzz.plays import act, acts, play_edit
from fuzz.target_lsd import TARGET as LSD
from fuzz.target_tracker_http import TARGET as HTTP

_TRACKER: Final = "http://a.example/announce"
_SETTINGS: Final = EngineSettings(listen_port=PORT, max_strangers=6)
_GUESTS: Final = 8
_QUIET_SECONDS: Final = 400.0
_ENOUGH_SECONDS: Final = 1800.0


class Does(IntEnum):
    """What happens in an act."""

    WAIT = 0
    LOCAL = 1  # a datagram comes from the local network
    CROWD = 2  # it comes from many hosts there
    CALL = 3  # somebody connects and names a torrent
    SAY = 4  # and says more
    LEAVE = 5  # or goes
    WAKE = 6  # the session wakes who was called first
    REFUSE = 7  # or does not
    EAGER = 8  # from now on it wakes all at once, or nobody
    LULL = 9  # who has nothing to do sleeps again
    REMOVE = 10  # a torrent is removed
    ADD = 11  # or there again
    MOVE = 12  # we listen elsewhere
    ROAM = 13  # we are in another network, or in none for a moment
    TRACKER = 14  # the next fetch is answered: a status, then a body


class _Sleepy(SimProcess):
    """A client whose session takes its time to wake torrents up."""

    def __init__(self, host: Host, web: Web) -> None:
        super().__init__(host, web, _SETTINGS)
        self.strict = True
        self.eager = False
        self.called: deque[SleeperCalled] = deque(maxlen=1000)

    def lie_down(self, content: Content) -> None:
        """Let a torrent sleep, by all its names."""
        info, v2 = content.info, content.info.info_hash_v2
        self._sleepers[info.wire_hash] = content
        also = v2.truncated() if v2 is not None and info.info_hash_v1 is not None else None
        self.core.add_sleeping(info.wire_hash, content.metainfo.trackers, self._world.now, also)
        self.host.touch()

    def rise(self, event: SleeperCalled) -> None:
        """Wake up whom it names."""
        if event.info_hash in self.core.dormitory:
            torrent = self.seed(self._sleepers[event.info_hash])
            torrent.add_candidates(event.addresses, Source.TRACKER, self._world.now)
            self.core.admit_callers(torrent, self._world.now)

    def forget(self, content: Content) -> None:
        """Remove a torrent, awake or asleep."""
        name = content.info.wire_hash
        torrent = self.awake(name)
        if torrent is None:
            self.core.remove_sleeping(name, self._world.now)
        else:
            self.core.remove(torrent, self._world.now)
            self.disk.remove(torrent.number)
            del self._contents[torrent.number]
        self.host.touch()

    def awake(self, name: InfoHashV1) -> Torrent | None:
        """The torrent of this name, if it is awake."""
        return next((each for each in self.core.torrents.values() if each.wire_hash == name), None)

    def _react(self, event: Event, now: float) -> None:
        if not isinstance(event, SleeperCalled):
            super()._react(event, now)
            return
        sleeps = event.info_hash in self.core.dormitory
        assert not sleeps or self.core.dormitory.of(event.info_hash).number == event.torrent
        assert event.info_hash in self._sleepers
        if self.eager:
            self.rise(event)
        else:
            self.called.append(event)


class _Scene:
    """Torrents that sleep, and all who may call them."""

    def __init__(self) -> None:
        self.world = World(Random, 0)
        self.network = Network(self.world)
        self.network.lan = True
        web = Web()
        web.sites["a.example"] = lambda *_: self.http.popleft() if self.http else Reply(404, b"")
        self.http: deque[Reply | None] = deque()
        self.process = _Sleepy(self.network.host("engine"), web)
        self.network.host("neighbour").hear = self._hear
        self.heard_at = -LEAST_SECONDS
        self.guests: dict[int, Guest] = {}
        self.contents = _contents()
        for content in self.contents:
            self.process.lie_down(content)
        self.world.run(0.0)

    def names(self, content: Content) -> list[InfoHashV1]:
        """What a torrent is called by."""
        v2 = content.info.info_hash_v2
        return [content.info.wire_hash] + ([v2.truncated()] if v2 is not None else [])

    def _hear(self, datagram: bytes, host: str) -> None:
        if host != self.process.host.address.host:
            return
        said = LocalAnnounce.parse(datagram)
        assert set(said.info_hashes) <= {
            name for each in self.contents if not each.info.private for name in self.names(each)
        }
        assert self.world.now - self.heard_at > LEAST_SECONDS - 0.1, "announces follow each other too soon"
        self.heard_at = self.world.now

    def connect(self, who: int, name: InfoHashV1) -> None:
        """Somebody connects, and names a torrent."""
        self.leave(who)
        guest = Guest(self.network.host(f"guest {len(self.network.hosts)}"), self.contents[0])
        self.guests[who] = guest
        guest.say(Handshake(bytes(8), name, PeerId(b"-FZ0000-%012d" % len(self.network.hosts))).encode())
        self.network.connect(guest.host, self.process.host.address, guest.connected, lambda _: None)

    def leave(self, who: int) -> None:
        """Somebody goes."""
        guest = self.guests.pop(who, None)
        if guest is not None:
            self.network.stop(guest.host)

    def settle(self, seconds: float) -> None:
        """Time passes."""
        self.process.host.touch()
        self.world.run(seconds)
        core = self.process.core
        waiting = len(core._lobby.wires)  # noqa: SLF001 - its limit is the invariant
        assert waiting <= _SETTINGS.max_strangers + 1, f"{waiting} strangers"
        for content in self.contents:
            asleep, torrent = content.info.wire_hash in core.dormitory, self.process.awake(content.info.wire_hash)
            assert not (asleep and torrent), "a torrent is awake and asleep"

    def ends(self) -> None:
        """All go, and an honest neighbour comes."""
        core, now = self.process.core, self.world.now
        for who in list(self.guests):
            self.leave(who)
        core.presence.moved(PORT, PORT, 0, now)
        self.settle(_QUIET_SECONDS)
        assert not core._lobby.wires, "somebody waits for ever"  # noqa: SLF001 - what must be empty
        self.process.eager = True
        for content in self.contents:
            if content.info.wire_hash not in core.dormitory and self.process.awake(content.info.wire_hash) is None:
                self.process.lie_down(content)
        self._finds()
        for content in self.contents:
            self.process.forget(content)
        self.settle(_QUIET_SECONDS)
        assert not core.goodbyes, f"{core.goodbyes} announces are still under way"
        assert not core.torrents
        assert not len(core.dormitory)
        directory = core._directory  # noqa: SLF001 - what must be empty
        assert not directory._marks and not directory._also, "somebody is known that is gone"  # noqa: SLF001, PT018 - as above

    def _finds(self) -> None:
        friend = SimProcess(self.network.host("friend"), Web(), replace(_SETTINGS, listen_port=PORT))
        wanted = [friend.leech(content) for content in self.contents if not content.info.private]
        done = self.world.run(_ENOUGH_SECONDS, lambda: not any(torrent.left_bytes for torrent in wanted))
        left = [torrent.left_bytes for torrent in wanted]
        assert done, f"{left} bytes are still left beside an honest neighbour"
        friend.stop()


def check(data: bytes) -> bool:
    """Play a play."""
    scene, good = _Scene(), False
    for kind, said in acts(data):
        _perform(scene, kind >> 4, kind % 16, said)
        scene.settle(0.0)
        good |= bool(scene.process.core.torrents)
    scene.ends()
    return good


def _perform(scene: _Scene, who: int, kind: int, said: bytes) -> None:
    process, now = scene.process, scene.world.now
    core, first = process.core, said[0] if said else 0
    content = scene.contents[who % len(scene.contents)]
    names = scene.names(content)
    match kind:
        case Does.WAIT:
            scene.settle(min(4000.0, sum(said[:16]) * (said[1] if len(said) > 1 else 1) / 10))
        case Does.LOCAL | Does.CROWD:
            said = said.replace(b"%HASH", bytes(names[0]).hex().encode())
            said = said.replace(b"%ALSO", bytes(names[-1]).hex().encode())
            for number in range(300 if kind == Does.CROWD else 1):
                core.local_heard(said, f"10.{77 + (number >> 8)}.{who}.{number & 255}", now)
        case Does.CALL:
            scene.connect(first % _GUESTS, names[first >> 4 & 1 and -1])
        case Does.SAY if scene.guests:
            list(scene.guests.values())[who % len(scene.guests)].say(said)
        case Does.LEAVE:
            scene.leave(first % _GUESTS)
        case Does.WAKE if process.called:
            process.rise(process.called.popleft())
        case Does.REFUSE if process.called:
            core.refuse_callers(process.called.popleft().info_hash)
        case Does.EAGER:
            process.eager = not process.eager
        case Does.LULL:
            process.lull()
        case Does.REMOVE:
            if names[0] in core.dormitory or process.awake(names[0]):
                process.forget(content)
        case Does.ADD:
            if names[0] not in core.dormitory and not process.awake(names[0]):
                process.lie_down(content)
        case Does.MOVE:
            core.presence.moved(PORT + first % 3, PORT + first % 3, 0, now)
        case Does.ROAM:
            if first & 1:
                core.presence.cut("no network", now)
                core.presence.join_again(PeerId(b"-BZ0000-" + bytes([first]) * 12), now)
            else:
                core.presence.roamed(now)
        case Does.TRACKER:
            scene.http.append(Reply(int.from_bytes(said[:2]), said[2:]) if said else None)


@cache
def _contents() -> tuple[Content, ...]:
    world = World(Random, 1)
    plain = make_content(world, "one", size=40_000, piece_size=16384, trackers=[_TRACKER])
    hybrid = make_content_v2(world, "two", sizes=(40_000,), piece_size=16384, hybrid=True)
    second = make_content_v2(world, "three", sizes=(20_000,), piece_size=16384)
    raw = decode(make_content(world, "four", size=20_000, piece_size=16384).info.raw)
    assert isinstance(raw, dict)
    secret = Metainfo.from_info(Info.parse(encode({**raw, b"private": 1})), [[_TRACKER]])
    return plain, hybrid, second, Content(secret, make_content(world, "four", size=20_000, piece_size=16384).data)


_LATER, _SOON = act(Does.WAIT, b"\xff\x14"), act(Does.WAIT, b"\x28\1")
_SHOUT = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: %HASH\r\ncookie: x\r\n\r\n\r\n"
_ALSO = _SHOUT.replace(b"%HASH", b"%ALSO\r\nInfohash: %HASH")
_PEERS = act(
    Does.TRACKER, (200).to_bytes(2) + b"d8:completei1e10:incompletei1e8:intervali900e5:peers6:\n\1\2\1\xc8\xd5e"
)
_CORPUS = (
    act(Does.LOCAL, _SHOUT) + act(Does.WAKE) + _SOON + act(Does.LULL) + act(Does.LOCAL, _SHOUT) + _LATER,
    b"".join(act(Does.LOCAL | who << 4, _ALSO) + act(Does.WAKE) for who in range(4)) + _LATER + act(Does.LULL),
    act(Does.EAGER) + b"".join(act(Does.LOCAL | who << 4, _SHOUT) for who in range(8)) + _LATER * 3 + act(Does.LULL),
    b"".join(act(Does.CALL | who << 4, bytes((who | who << 4,))) for who in range(8)) + act(Does.WAKE) * 4 + _SOON,
    act(Does.CALL | 16, b"\x10") + act(Does.REFUSE) + act(Does.CALL | 16, b"\1") + _LATER + act(Does.WAKE) * 2 + _SOON,
    act(Does.CALL) + act(Does.SAY, b"\0\0\0\1\2" * 9) + act(Does.REMOVE) + act(Does.ADD) + act(Does.WAKE) + _SOON,
    act(Does.CROWD, _SHOUT) + _SOON + act(Does.CROWD | 16, _ALSO) + act(Does.WAKE) + _LATER + act(Does.REMOVE) * 2,
    _PEERS + _LATER + act(Does.WAKE) + _SOON + act(Does.LULL) + _PEERS + _LATER + act(Does.REMOVE) + act(Does.WAKE),
    act(Does.LOCAL | 16, _ALSO) + act(Does.REMOVE | 16) + act(Does.ADD | 16) + act(Does.WAKE) + act(Does.ROAM) + _SOON,
    act(Does.EAGER) + act(Does.CALL) + _SOON + act(Does.MOVE, b"\1") + act(Does.ROAM, b"\1") + _LATER + act(Does.LEAVE),
    act(Does.CALL | 32) + act(Does.LOCAL | 48, _SHOUT) + act(Does.WAKE) * 2 + _LATER + act(Does.REMOVE | 48) + _SOON,
)

TARGET = Target(
    "sleepers",
    corpus=_CORPUS,
    words=(*LSD.words, *HTTP.words, b"%HASH", b"%ALSO", _SHOUT, _LATER, _SOON, act(Does.WAKE), act(Does.LULL)),
    check=check,
    edits=(play_edit(_CORPUS, HTTP.edits), play_edit(_CORPUS)),
    slow_seconds=3.0,
)
