"""Swarms with a web seed: it gives what nobody has, in long runs, and peers give each other the rest."""

from collections.abc import Callable
from math import inf

from bittern.base.bitfield import Bitfield
from bittern.engine.torrent import Torrent
from bittern.sim.content import Content, make_content
from bittern.sim.process import SimProcess
from tests.engine.web.rig import MIB, FileServer, Stage

PIECE = 256 * 1024


class Crowd:
    """Clients that begin at the same time, all with the same web seed.

    Args:
        count: clients.
        up: bytes per second of each.
        server_up: of the web seed.
        size: bytes of the content.
        seed: of all chance.
    """

    def __init__(self, count: int, up: float, server_up: float, size: int, seed: int) -> None:
        self.stage = Stage(seed=seed)
        self.content: Content = make_content(self.stage.world, size=size, piece_size=PIECE)
        self.server: FileServer = self.stage.server(self.content, up=server_up)
        self.clients: list[SimProcess] = [self.stage.process(f"client{number}") for number in range(count)]
        self.torrents: list[Torrent] = [client.leech(self.content) for client in self.clients]
        for client, torrent in zip(self.clients, self.torrents, strict=True):
            client.host.uplink.rate = up
            client.know(torrent, *[other for other in self.clients if other is not client])
            torrent.web.add(["http://mirror/"])
            client.host.touch()

    def finish(self, seconds: float) -> float:
        """All are complete and right within so many seconds; when they were."""
        pairs = list(zip(self.clients, self.torrents, strict=True))
        world = self.stage.world
        assert world.run(seconds, until=lambda: all(torrent.number in client.completed for client, torrent in pairs))
        assert all(client.wrong_pieces() == [] for client in self.clients)
        assert all(seed.message is None for torrent in self.torrents for seed in torrent.web.seeds.values())
        return world.now

    @property
    def copies(self) -> float:
        """How often the server gave its content."""
        return sum(torrent.web.arrived for torrent in self.torrents) / len(self.content.data)


def test_who_begin_at_the_same_time_do_not_all_fetch_the_same(seed: int, figure: Callable[[str], None]) -> None:
    """The server alone would take 64 s; peers and server together cannot take less than 12.8 s."""
    crowd = Crowd(8, up=1.0 * MIB, server_up=2.0 * MIB, size=16 * MIB, seed=seed)
    took = crowd.finish(30)
    figure(f"8 leechers and a web seed: {took:.1f} s of at least 12.8, the server gave {crowd.copies:.2f} copies")
    assert crowd.copies < 4  # without care it is every time more than four
    assert crowd.server.connections < 8 * 8
    assert all(torrent.downloaded < 1.1 * 16 * MIB for torrent in crowd.torrents)


def test_what_peers_have_is_theirs_and_the_server_gives_the_rest(seed: int) -> None:
    """Two seeds of one half each: the web seed's half is the other, until all have it."""
    stage = Stage(seed=seed)
    content = make_content(stage.world, size=16 * MIB, piece_size=PIECE)
    server = stage.server(content, up=2.0 * MIB)
    half = stage.process("half")
    half.hold(content, Bitfield(64, range(32)))
    half.host.uplink.rate = 2.0 * MIB
    torrent = stage.client.leech(content)
    stage.client.know(torrent, half)
    stage.waits(1.0)
    torrent.web.add(["http://mirror/"])
    stage.client.host.touch()
    assert stage.run(torrent, 6)
    spans = [request.span for request in server.requests if request.span is not None]
    theirs = sum(max(0, min(last + 1, 8 * MIB) - first) for first, last in spans)
    assert theirs < 2 * MIB
    assert server.asked_bytes() / len(spans) >= MIB


def test_a_fast_web_seed_gives_long_runs_beside_slow_peers(seed: int) -> None:
    stage = Stage(seed=seed)
    content = make_content(stage.world, size=64 * MIB, piece_size=PIECE)
    server = stage.server(content, up=20.0 * MIB)
    seeds = [stage.process(f"seed{number}") for number in range(3)]
    for peer in seeds:
        peer.seed(content)
        peer.host.uplink.rate = 0.2 * MIB
    torrent = stage.get(content)
    stage.client.know(torrent, *seeds)
    assert stage.run(torrent, 9)
    assert server.asked_bytes() / len(server.requests) > 2 * MIB


def test_a_slow_web_seed_is_not_connected_to_again_and_again(seed: int) -> None:
    """Two clients have nobody else: what they hand back to each other is not to end connections."""
    stage = Stage(seed=seed)
    content = make_content(stage.world, size=MIB, piece_size=16384)
    server = stage.server(content, up=20_000.0)
    clients = [stage.process(name) for name in ("one", "other")]
    torrents = [client.leech(content) for client in clients]
    for client, torrent in zip(clients, torrents, strict=True):
        client.know(torrent, *(other for other in clients if other is not client))
        torrent.web.add(["http://mirror/"])
        client.host.touch()
    assert stage.world.run(120, until=lambda: all(client.completed for client in clients))
    assert server.connections <= 20
    assert len(server.requests) < 100  # two clients, 64 pieces each


def test_a_fast_web_seed_brings_in_the_end_what_a_slow_peer_began(seed: int) -> None:
    """That would need a hundred seconds for its piece."""
    stage = Stage(seed=seed)
    content = make_content(stage.world, size=16 * MIB, piece_size=MIB)
    stage.server(content, up=2.0 * MIB)
    slow = stage.process("slow")
    slow.seed(content)
    slow.host.uplink.rate = 10_000
    torrent = stage.get(content)
    stage.client.know(torrent, slow)
    assert stage.run(torrent, 13)
    assert torrent.downloaded < 1.02 * 16 * MIB
    assert stage.failures == []


def test_a_web_seed_that_is_slower_than_peers_holds_up_nothing(seed: int) -> None:
    crowd = Crowd(3, up=inf, server_up=0.05 * MIB, size=8 * MIB, seed=seed)
    rich = crowd.stage.process("seed")
    rich.seed(crowd.content)
    rich.host.uplink.rate = 2.0 * MIB
    for client, torrent in zip(crowd.clients, crowd.torrents, strict=True):
        client.know(torrent, rich)
    assert crowd.finish(15)
