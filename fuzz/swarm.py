"""A whole engine under fire: one torrent in a simulated world, and up to four guests that say and do anything.

The first two bytes of an input say what the torrent is like, and how reads are cut; a play follows (`fuzz.plays`). The
kind of an act says which guest does it, and what.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import cache
from hashlib import sha1
from random import Random
from typing import Final
from zlib import crc32

from bittern.base.bitfield import Bitfield
from bittern.base.ids import PeerId
from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent, TorrentState
from bittern.sim.content import Content, make_content, make_content_v2
from bittern.sim.host import Cut
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.paths import Paths
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.messages import Piece
from fuzz.guest import Guest
from fuzz.plays import acts

GUESTS: Final = 4
HEAD: Final = 2

KINDS: Final = 32
"""What an act is: its kind modulo this; the rest says who."""

_BITS: Final = (
    Reserved.FAST | Reserved.LTEP | Reserved.DHT | Reserved.V2,
    Reserved(0),
    Reserved.LTEP,
    Reserved.FAST | Reserved.LTEP,
)
_BUFFERS: Final = 1 << 20
SETTINGS: Final = EngineSettings(
    listen_port=PORT,
    buffer_bytes=_BUFFERS,
    total_buffer_bytes=_BUFFERS,
    upload_buffer_bytes=_BUFFERS,
    max_requests_queued=300,
)
_MOST_UNSENT: Final = 8 << 20
"""Bytes that may wait for one guest that does not read: blocks, answers, and all that anybody is told."""
_QUIET_SECONDS: Final = 400.0
_ENOUGH_SECONDS: Final = 1800.0


class Does(IntEnum):
    """What happens in an act."""

    RAW = 0  # says bytes as they are
    FRAMED = 1  # says them as one message
    EXTENDED = 2  # says them as one message of an extension
    GIVE = 3  # answers requests for blocks
    LIE = 4  # answers them wrongly
    VOLUNTEER = 5  # sends a block that may not be wanted
    REJECT = 6  # refuses requests
    TELL_METADATA = 7  # answers requests for metadata
    LIE_METADATA = 8  # answers them wrongly
    TELL_HASHES = 9  # answers requests for hashes
    LIE_HASHES = 10  # answers them wrongly
    WAIT = 11  # time passes
    JOIN = 12  # comes anew
    DIALED = 13  # comes anew, called by us
    LEAVE = 14  # ends its connection
    READ = 15  # reads no more, or reads again
    PAUSE = 16  # we pause the torrent, or let it go on
    WANT = 17  # we want its files more or less


Role = Callable[[SimProcess], tuple[Content, Torrent]]


class Scene:
    """The world of one input."""

    def __init__(
        self, role: Role, flags: int, web: Web | None = None, settings: EngineSettings = SETTINGS, *, utp: bool = False
    ) -> None:
        self.world = World(Random, 0)
        self.network = Network(self.world)
        self.paths = Paths(self.network)
        host = self.network.host("engine")
        host.latency = 0.0
        host.cut = (Cut.WHOLE, Cut.RANDOM, Cut.WHOLE, Cut.RANDOM)[flags & 3]
        self._settings = settings
        self._datagrams = self.paths if utp else None
        self.process = SimProcess(host, web or Web(), settings, paths=self._datagrams)
        self.process.strict = bool(flags & 4)
        self.content, self.torrent = role(self.process)
        self.guests: dict[int, Guest] = {}
        self._came = 0
        self.world.run(0.0)

    # --- what guests do

    def guest(self, number: int) -> Guest:
        """The guest who is connected under a number now; it comes and shakes hands if need be."""
        guest = self.guests.get(number)
        if guest is None or guest.lost_by is not None:
            guest = self.joins(number, bytes((number,)))
        return guest

    def joins(self, number: int, said: bytes, *, dialed: bool = False) -> Guest:
        """Somebody new connects, or lets the engine connect to it; `said` tells how it shakes hands."""
        guest = self.newcomer(number)
        flags = said[0] if said else 0
        if not flags & 128:
            guest.say(self.hello(flags) + said[1:])
        if dialed:
            guest.host.acceptor = guest
            self.torrent.add_candidates([guest.host.address], Source.MANUAL, self.world.now)
            self.process.host.touch()
        else:
            self.connect(guest)
        self.world.run(0.0)
        return guest

    def connect(self, guest: Guest) -> None:
        """A guest calls the engine."""
        self.network.connect(guest.host, self.process.host.address, guest.connected, lambda _: None)

    def hello(self, flags: int) -> bytes:
        """The handshake of who came last: what it speaks, by which name it calls the torrent, and who it says it is."""
        name, v2 = self.content.info.wire_hash, self.content.info.info_hash_v2
        if flags & 64 and v2 is not None:
            name = v2.truncated()
        peer_id = PeerId(b"-FZ0000-same--guest-" if flags & 32 else b"-FZ0000-%012d" % self._came)
        return Handshake(_BITS[flags & 3].to_bytes(8), name, peer_id).encode()

    def more(self, who: int, kind: int, said: bytes) -> None:
        """An act of a kind that only some scenes know: here, bytes are said."""
        self.say(self.guest(who), said)

    def say(self, guest: Guest, data: bytes) -> None:
        """A guest says something."""
        guest.say(data)

    def newcomer(self, number: int) -> Guest:
        """A guest on a host of its own, not connected; it takes the place of who had its number."""
        self.leaves(number)
        self._came += 1
        host = self.network.host(f"guest {self._came}")
        host.latency = 0.0
        guest = self.guests[number] = Guest(host, self.content)
        return guest

    def leaves(self, number: int, *, rudely: bool = False) -> None:
        """A guest ends its connection, if it has one."""
        guest = self.guests.pop(number, None)
        if guest is None:
            return
        guest.host.acceptor = None
        if guest.link is not None and guest.lost_by is None:
            if rudely:
                self.network.stop(guest.host)
            else:
                guest.link.close()

    # --- what must hold

    def settle(self, seconds: float = 0.0) -> None:
        """Time passes, and nothing was broken by what came before."""
        self.world.run(seconds)
        wrong = self.process.wrong_pieces()
        assert not wrong, f"the engine believes to have {wrong}"
        shared = self.process.core._shared  # noqa: SLF001 - its limits are the invariant
        assert shared.memory.used <= _BUFFERS, f"{shared.memory.used} bytes of blocks on their way to the disk"
        assert shared.upload_memory.used <= _BUFFERS, f"{shared.upload_memory.used} bytes on their way to peers"
        for peer in self.torrent.peers.values():
            assert peer.wire.unsent <= _MOST_UNSENT, f"{peer.wire.unsent} bytes wait for {peer.address}"

    def ends(self, *, finish: bool) -> None:
        """All leave; nothing is left of them, and an honest seed still finds us ready."""
        for number in list(self.guests):
            self.leaves(number)
        self.process.check_invariants()
        self.settle(_QUIET_SECONDS)
        assert not self.torrent.peers, f"{len(self.torrent.peers)} peers stay"
        core = self.process.core
        assert not core._lobby.wires, "somebody still waits in the lobby"  # noqa: SLF001 - what must be empty
        if finish and self.torrent.state is not TorrentState.PAUSED:
            self._finishes()
        core.remove(self.torrent, self.world.now)
        self.process.host.touch()
        self.settle(1.0)
        shared = core._shared  # noqa: SLF001 - as above
        assert shared.memory.used == shared.upload_memory.used == 0, "memory is never given back"

    def _finishes(self) -> None:
        host = self.network.host("honest")
        honest = SimProcess(host, Web(), self._settings, paths=self._datagrams)
        honest.seed(self.content)
        self.process.know(self.torrent, honest)
        done = self.world.run(
            _ENOUGH_SECONDS, lambda: self.torrent.download is not None and self.torrent.left_bytes == 0
        )
        assert done, f"{self.torrent.left_bytes} bytes are still left after {_ENOUGH_SECONDS:g} s beside an honest seed"


def play(data: bytes, roles: Sequence[Role], make: Callable[[Role, int], Scene] = Scene) -> bool:
    """Play an input; whether a guest was heard to the end."""
    if len(data) < HEAD:
        return False
    scene = make(roles[data[0] % len(roles)], data[1])
    for kind, said in acts(data[HEAD:]):
        perform(scene, kind // KINDS % GUESTS, kind % KINDS, said)
        scene.settle()
    heard = any(guest.heard > 100 and guest.lost_by is None for guest in scene.guests.values())
    scene.ends(finish=not crc32(data) & 3)
    return heard


def perform(scene: Scene, who: int, kind: int, said: bytes) -> None:
    """One act."""
    count = said[0] if said else 1
    match kind:
        case Does.WAIT:
            scene.settle(min(600.0, count * (said[1] if len(said) > 1 else 1) / 10))
        case Does.JOIN:
            scene.joins(who, said)
        case Does.DIALED:
            scene.joins(who, said, dialed=True)
        case Does.LEAVE:
            scene.leaves(who, rudely=bool(count & 1))
        case Does.READ:
            guest = scene.guest(who)
            guest.reads = not guest.reads
            if guest.link is not None:
                guest.link.wake_receiver()
        case Does.PAUSE:
            if scene.torrent.state is TorrentState.PAUSED:
                scene.torrent.resume(scene.world.now)
            else:
                scene.torrent.pause(scene.world.now)
            scene.process.host.touch()
        case Does.WANT:
            if scene.torrent.info is not None:
                scene.torrent.prioritize([1 + count % 7] * len(scene.torrent.info.files), scene.world.now)
                scene.process.host.touch()
        case _ if kind > Does.WANT:
            scene.more(who, kind, said)
        case _:
            guest = scene.guest(who)
            scene.say(guest, words(guest, scene.content, kind, said, count))


def words(guest: Guest, content: Content, kind: int, said: bytes, count: int) -> bytes:
    """The bytes of an act that is said."""
    match kind:
        case Does.FRAMED:
            return len(said).to_bytes(4) + said
        case Does.EXTENDED:
            return (len(said) + 1).to_bytes(4) + b"\x14" + said
        case Does.GIVE | Does.LIE:
            return guest.give(count, rightly=kind == Does.GIVE)
        case Does.VOLUNTEER:
            piece, block = count % 8, (said[1] if len(said) > 1 else 0) % 4
            offset = piece * content.info.piece_size + block * 16384
            return Piece(piece, block * 16384, content.data[offset : offset + 16384]).encode()
        case Does.REJECT:
            return guest.reject(count)
        case Does.TELL_METADATA | Does.LIE_METADATA:
            return guest.tell_metadata(count, rightly=kind == Does.TELL_METADATA)
        case Does.TELL_HASHES | Does.LIE_HASHES:
            return guest.tell_hashes(count, rightly=kind == Does.TELL_HASHES)
        case _:
            return said


# --- torrents


@cache
def plain() -> Content:
    """Five pieces of two blocks; the last block is short."""
    return make_content(World(Random, 1), size=5 * 32768 - 9000, piece_size=32768)


@cache
def wordy() -> Content:
    """As `plain`, with metadata of three pieces."""
    content = plain()
    info = content.info
    raw = encode(
        {
            "length": info.total_length,
            "name": "wordy",
            "piece length": info.piece_size,
            "pieces": info.piece_hashes,
            "x": Random(1).randbytes(40_000),
        }
    )
    assert len(info.piece_hashes) == len(sha1(b"").digest()) * info.geometry.piece_count
    return Content(Metainfo.from_info(Info.parse(raw)), content.data)


@cache
def second(*, hybrid: bool) -> Content:
    """Version 2: a file of four pieces, one of a part of a piece, and one of two."""
    return make_content_v2(World(Random, 1), sizes=(120_000, 5000, 65_536), piece_size=32768, hybrid=hybrid)


def holds(content: Callable[[], Content], have: str = "") -> Role:
    """The torrent has the pieces "1" of `have`, or "all", or none."""

    def role(process: SimProcess) -> tuple[Content, Torrent]:
        made = content()
        count = made.info.geometry.piece_count
        pieces = (
            Bitfield.full(count) if have == "all" else Bitfield(count, (n for n, bit in enumerate(have) if bit == "1"))
        )
        return made, process.hold(made, pieces)

    return role


def without_layers(content: Callable[[], Content]) -> Role:
    """The torrent has nothing, and of its hashes only the roots."""

    def role(process: SimProcess) -> tuple[Content, Torrent]:
        made = content()
        bare = replace(made, metainfo=replace(made.metainfo, piece_layers={}))
        return made, process.leech(bare)

    return role


def by_name(content: Callable[[], Content], *, v2: bool = False) -> Role:
    """The torrent has nothing but its name."""

    def role(process: SimProcess) -> tuple[Content, Torrent]:
        made = content()
        other = made.info.info_hash_v2
        return made, process.magnet(made, other.truncated() if v2 and other is not None else None)

    return role


def super_seed(process: SimProcess) -> tuple[Content, Torrent]:
    """The torrent is complete, and shows its pieces one by one."""
    return plain(), process.super_seed(plain())
