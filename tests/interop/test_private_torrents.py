"""A private torrent is known to its trackers and its peers alone (BEP 27): what our host sends is looked at."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1
from bittern.codec import bencode
from bittern.codec.metainfo import Metainfo
from bittern.wire.lsd import GROUP_V4, LocalAnnounce
from tests.interop.conftest import require
from tests.interop.rigs.bittern import QUIET, Bittern
from tests.interop.rigs.capture import TCP, UDP, Capture, Packet, captured
from tests.interop.rigs.client import Swarm
from tests.interop.rigs.content import Kind, magnet_of
from tests.interop.rigs.gossip import Gossip
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.node import NODE_PORT, dht_node
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.star import Link, Star, star
from tests.interop.rigs.tracker import Announce, serve
from tests.interop.rigs.web import http_server

SECONDS = 15.0
"""What goes out at all does so sooner: peers are told after 3 s, the local network after 1, the table at once."""
GENEROUS_SECONDS = 60.0
"""For what has to happen, on a machine where others compute."""
STRANGER_PORT = 6881
SLOW = ("--down-limit", "50k")


@dataclass(frozen=True, slots=True)
class Scene:
    """Host 0 is ours, 1 has the seed and a web seed, 2 and 3 speak of a stranger that is 4, as does the local network.

    3 is a node of the table, too.
    """

    network: Star
    swarm: Swarm
    info_hash: InfoHashV1
    capture: Capture
    gossips: tuple[Gossip, Gossip]

    @property
    def ours(self) -> Bittern:
        """With all that can be had, and slow, so that it is there for a while."""
        router = ("--dht-router", f"{self.network.hosts[3].address}:{NODE_PORT}")
        return Bittern(quiet=("--no-nat", "--no-utp"), options=(*router, *SLOW))

    def lie(self) -> None:
        """Let the stranger say in the local network that it has the torrent."""
        stranger = self.network.hosts[4]
        with stranger.open(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(stranger.address))
            sock.sendto(LocalAnnounce(STRANGER_PORT, (self.info_hash,)).encode(GROUP_V4), GROUP_V4)

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, with lies, unless what is waited for comes sooner."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at and not until():
            self.lie()
            time.sleep(1.0)

    def told(self, protocol: int) -> set[str]:
        """Whom our host sent anything."""
        return {packet.target.host for packet in self.capture.packets if packet.protocol == protocol}

    def told_everybody(self) -> bool:
        """Whether all was heard of us that a public torrent says, and both gossips heard of their peers."""
        return all(self.counts().values()) and all(gossip.heard for gossip in self.gossips)

    def counts(self, since: float = 0.0) -> dict[str, int]:
        """How many packets went out that tell others than tracker and peers of the torrent, or believe them."""
        packets = [packet for packet in self.capture.packets if packet.at >= since]
        datagrams = [packet for packet in packets if packet.protocol == UDP]
        names = (bytes(self.info_hash), self.info_hash.hex().encode(), self.info_hash.hex().upper().encode())
        return {
            "dht": sum(bytes(self.info_hash) in packet.payload for packet in datagrams),
            "lsd": sum(packet.target.port == GROUP_V4.port for packet in datagrams),
            "udp": sum(any(name in packet.payload for name in names) for packet in datagrams),
            "pex": sum(b"5:added" in payload for payload in _streams(packets)),
            "stranger": sum(packet.target.host == self.network.hosts[4].address for packet in packets),
        }


def _streams(packets: list[Packet]) -> list[bytes]:
    """What was sent over each connection."""
    found: dict[tuple[int, Address], bytearray] = {}
    for packet in packets:
        if packet.protocol == TCP:
            found.setdefault((packet.source_port, packet.target), bytearray()).extend(packet.payload)
    return list(map(bytes, found.values()))


@contextmanager
def scene(folder: Path, *, private: bool) -> Iterator[Scene]:
    require(missing_for_namespace())
    require(Libtorrent().missing())
    with ExitStack() as stack:
        network = stack.enter_context(star(folder, [Link()] * 5))
        tracker = stack.enter_context(serve(network.switch.listen()))
        swarm = stack.enter_context(Swarm(network.switch, tracker, folder, Kind.V1_SINGLE))
        web = stack.enter_context(http_server(swarm.content.folder, folder / "web", network.hosts[1]))
        meta = bencode.decode(swarm.torrent.read_bytes(), strict=False)
        assert isinstance(meta, dict)
        info = meta[b"info"]
        assert isinstance(info, dict)
        raw = bencode.encode(meta | {b"url-list": web, b"info": info | ({b"private": 1} if private else {})})
        swarm.torrent.write_bytes(raw)
        swarm.magnet = magnet_of(raw)
        info_hash = Metainfo.from_bytes(raw).info.wire_hash
        stack.enter_context(dht_node(network.hosts[3], folder))
        stranger = Address(network.hosts[4].address, STRANGER_PORT)
        one, other = (stack.enter_context(Gossip(place, info_hash, stranger)) for place in network.hosts[2:4])
        for gossip in (one, other):
            known = (info_hash, gossip.peer_id, gossip.address, gossip.port, "started", 0, 0, 1, "1", "")
            tracker.take(Announce(*known))
        capture = stack.enter_context(captured(network.hosts[0]))
        yield Scene(network, swarm, info_hash, capture, (one, other))


def test_a_public_torrent_is_told_to_everybody_and_everybody_is_believed(tmp_path: Path) -> None:
    """What the tests below do not see can be seen."""
    with scene(tmp_path, private=False) as here:
        here.swarm.seed(Libtorrent(options=("--lsd",)), place=here.network.hosts[1])
        here.swarm.get(here.ours, place=here.network.hosts[0])
        here.wait(GENEROUS_SECONDS, until=here.told_everybody)
        assert all(here.counts().values()), here.counts()
        assert all(gossip.heard for gossip in here.gossips)


def test_a_private_torrent_leaks_nothing(tmp_path: Path) -> None:
    with scene(tmp_path, private=True) as here:
        here.swarm.seed(Libtorrent(options=("--lsd",)), place=here.network.hosts[1])
        peer, into = here.swarm.get(here.ours, place=here.network.hosts[0])
        members = {here.network.switch.address, *[host.address for host in here.network.hosts[1:4]]}
        here.wait(GENEROUS_SECONDS, until=lambda: here.told(TCP) >= members)
        here.wait(SECONDS)
        assert here.counts() == {"dht": 0, "lsd": 0, "udp": 0, "pex": 0, "stranger": 0}
        assert not here.told(UDP)
        assert here.told(TCP) == members
        peer.running.interrupt()
        peer.running.wait(10)
        assert here.counts() == {"dht": 0, "lsd": 0, "udp": 0, "pex": 0, "stranger": 0}
        assert into.path.stat().st_blocks


def test_when_the_metadata_says_that_a_torrent_is_private_nothing_leaks_from_then_on(tmp_path: Path) -> None:
    """Before that it is a link like others; a seed that comes late, and knows us by the tracker, brings the word."""
    with scene(tmp_path, private=True) as here:
        peer, _ = here.swarm.get(here.ours, here.swarm.magnet, place=here.network.hosts[0])
        here.lie()
        assert wait_until(lambda: all(here.counts()[kind] for kind in ("dht", "lsd", "pex")), 30), here.counts()
        here.swarm.seed(Bittern(quiet=(*QUIET, "--no-web-seeds")), place=here.network.hosts[1])
        assert wait_until(lambda: "metadata" in peer.running.log.read_text(), 30), peer.running.log.read_text()
        time.sleep(1.0)
        since = time.monotonic()
        here.gossips[0].dial(Address(here.network.hosts[0].address, peer.port))
        here.wait(SECONDS)
        assert here.counts(since) == {"dht": 0, "lsd": 0, "udp": 0, "pex": 0, "stranger": 0}
