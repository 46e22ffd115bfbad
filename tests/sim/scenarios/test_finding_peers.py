"""Swarms without a tracker: peers tell each other of peers (BEP 11), or find each other in one network (BEP 14)."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import Offence
from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.gossip import FIRST_SECONDS, INTERVAL_SECONDS
from bittern.engine.swarm.peerbook import HEARSAY_FAILURES_MOST, Source
from bittern.engine.swarm.welcome import UT_PEX
from bittern.sim.content import MIB, Content, make_content, make_content_v2
from bittern.sim.host import Host
from bittern.sim.http import Web
from bittern.sim.link import SimLink
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from bittern.testing.playbook import Playbook
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.lsd import GROUP_V4, LocalAnnounce
from bittern.wire.messages import Extended
from bittern.wire.stream import LinkLost, Stream
from bittern.wire.ut_pex import MOST, NAME, PexFlag, PexMessage

UP = MIB / 4
THEIRS = 5
"""The number under which actors want to hear of peers."""


class Street:
    """Hosts in a row, without a tracker; the first one has everything."""

    def __init__(self, seed: int, count: int, *, size: int = MIB, settings: EngineSettings | None = None) -> None:
        self.world = World(Random, seed)
        self.network = Network(self.world)
        self.settings = settings or EngineSettings(listen_port=PORT)
        self.content = make_content(self.world, size=size)
        self.processes = [self.process(f"host{number:02}") for number in range(count)]

    def process(self, name: str, settings: EngineSettings | None = None) -> SimProcess:
        return SimProcess(self.network.host(name, UP, 8 * UP), Web(), settings or self.settings)

    def begin(self, *, magnets: bool = False, chained: bool = True) -> None:
        self.processes[0].seed(self.content)
        for before, process in zip(self.processes, self.processes[1:], strict=False):
            torrent = (process.magnet if magnets else process.leech)(self.content)
            if chained:
                process.know(torrent, before)

    @property
    def crowd(self) -> list[int]:
        """How many peers each of them has."""
        return [len(torrent.peers) for process in self.processes for torrent in process.core.torrents.values()]

    def completes(self, seconds: float) -> bool:
        leechers = self.processes[1:]
        done = self.world.run(seconds, until=lambda: all(process.completed for process in leechers))
        assert not any(process.wrong_pieces() for process in self.processes)
        return done


@pytest.mark.parametrize("magnets", [False, True])
def test_who_knows_one_peer_only_comes_to_know_the_swarm(
    seed: int,
    figure: Callable[[str], None],
    magnets: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Each of twenty knows its predecessor. Alone a row stays a row; told of each other it is a swarm."""
    row = Street(seed, 20, settings=EngineSettings(listen_port=PORT, use_pex=False))
    row.begin(magnets=magnets)
    assert row.completes(600.0)
    street = Street(seed, 20, size=4 * MIB)
    street.begin(magnets=magnets)
    street.world.run(16.0)
    assert max(row.crowd) <= 2
    assert sum(street.crowd) / 20 > 6, street.crowd
    assert street.completes(200.0)
    figure(f"20 in a row, told of each other, 4 MiB, magnets {magnets}: complete at {street.world.now:.0f} s")


def test_a_leecher_that_knows_a_seed_hears_of_the_seeds_that_parted_with_it(seed: int) -> None:
    """Two seeds have nothing for each other; the one that is known is slow, the other one comes to know of it."""
    street = Street(seed, 2)
    other, leech = street.processes
    one = street.process("slow", EngineSettings(listen_port=PORT, up_bytes_per_second=1000))
    one.know(one.seed(street.content), other)
    other.seed(street.content)
    street.world.run(20.0)
    assert [len(torrent.peers) for torrent in (*one.core.torrents.values(), *other.core.torrents.values())] == [0, 0]
    leech.know(leech.leech(street.content), one)
    assert street.world.run(60.0, until=lambda: bool(leech.completed))
    [torrent] = leech.core.torrents.values()
    assert torrent.peerbook.counts[Source.PEX] == 1


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid", "magnet"])
def test_in_a_local_network_an_info_hash_is_enough(seed: int, kind: str) -> None:
    street = Street(seed, 5)
    street.network.lan = True
    if kind in ("v2", "hybrid"):
        street.content = make_content_v2(street.world, sizes=(MIB,), hybrid=kind == "hybrid")
    street.begin(magnets=kind != "v1", chained=False)
    assert street.completes(60.0)
    [torrent] = street.processes[1].core.torrents.values()
    assert set(torrent.peerbook.counts) <= {Source.LSD, Source.PEX, Source.INCOMING}


def test_a_hybrid_is_found_by_either_of_its_hashes(seed: int) -> None:
    street = Street(seed, 2)
    street.network.lan = True
    street.content = make_content_v2(street.world, sizes=(MIB,), hybrid=True)
    assert street.content.info.info_hash_v2 is not None
    street.processes[0].seed(street.content)
    street.processes[1].magnet(street.content, street.content.info.info_hash_v2.truncated())
    assert street.completes(60.0)


def private(content: Content) -> Content:
    """The same, for members of its tracker only (BEP 27)."""
    info = content.info
    fields = {"length": info.total_length, "name": info.name, "piece length": info.piece_size}
    raw = encode({**fields, "pieces": info.piece_hashes, "private": 1})
    return Content(Metainfo.from_info(Info.parse(raw), []), content.data)


def test_a_private_torrent_is_told_to_nobody(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every datagram and every message is looked at: none names a peer, or the torrent; and nobody is believed."""
    shouts: list[bytes] = []
    monkeypatch.setattr(Network, "shout", lambda _self, _host, datagram: shouts.append(datagram))
    street = Street(seed, 4)
    street.content = private(street.content)
    street.begin()
    eve = Address("10.9.9.9", PORT)
    for process in street.processes:
        process.core.local_heard(LocalAnnounce(PORT, (street.content.info.wire_hash,)).encode(GROUP_V4), eve.host, 0.0)
    assert street.completes(120.0)
    street.world.run(300.0)
    assert shouts == []
    for process in street.processes:
        [torrent] = process.core.torrents.values()
        assert set(torrent.peerbook.counts) <= {Source.MANUAL, Source.INCOMING}
        assert eve not in torrent.peerbook


def test_a_private_torrent_neither_speaks_nor_hears_peer_exchange(seed: int) -> None:
    with Playbook(seed=seed) as play:
        content = private(play.content)
        torrent = play.process.leech(content)
        play.torrent, play.content = torrent, content
        play.joins("ann", extensions={NAME: THEIRS}, dialed=True).joins("bob", extensions={NAME: THEIRS}, dialed=True)
        [hello] = [message for message in play.greeting("ann") if isinstance(message, Extended)]
        assert ExtendedHandshake.parse(hello.payload).extensions[NAME] == 0
        play.says("ann", Extended(UT_PEX, PexMessage({Address("10.9.9.9", 6881): PexFlag.NONE}).encode()))
        play.waits(200.0)
        assert [message for message in play.heard("bob") if isinstance(message, Extended)] == []
        assert torrent.peerbook.counts == {Source.MANUAL: 2}


def test_when_the_metadata_says_that_a_torrent_is_private_strangers_go(seed: int) -> None:
    """A magnet link does not say so: until the metadata is there, anybody may name peers."""
    street = Street(seed, 3)
    street.network.lan = True
    street.content = private(street.content)
    member, stranger, late = street.processes
    member.seed(street.content)
    stranger.seed(street.content)
    torrent = late.magnet(street.content)
    late.know(torrent, member)
    torrent.add_candidates([stranger.host.address], Source.PEX, 0.0)
    assert street.world.run(60.0, until=lambda: bool(late.completed))
    assert torrent.peerbook.counts == {Source.MANUAL: 1}
    others = [event for _, event in late.events if isinstance(event, PeerDropped)]
    assert [event.address for event in others if "private" in event.reason] == [stranger.host.address]


def tells(play: Playbook, name: str, *addresses: Address) -> None:
    play.says(name, Extended(UT_PEX, PexMessage(dict.fromkeys(addresses, PexFlag.NONE)).encode()))


def test_a_flood_of_gossip_ends_the_connection_and_is_dialed_at_a_pace() -> None:
    """Fifty names a minute are taken; each is tried twice at most, and nobody else is held up."""
    with Playbook(pieces=2) as play:
        dials: list[Address] = []
        connect = play.network.connect

        def count(
            host: Host,
            address: Address,
            connected: Callable[[SimLink], Stream],
            failed: Callable[[LinkLost], None],
        ) -> None:
            dials.append(address)
            connect(host, address, connected, failed)

        play.network.connect = count  # type: ignore[method-assign]  # it only listens
        play.joins("eve", extensions={NAME: THEIRS}).joins("ann", have="11")
        for number in range(20):
            if play.actors["eve"].lost_by is None:
                tells(play, "eve", *[Address(f"10.100.{number}.{low}", 6881) for low in range(1, MOST + 1)])
        play.expect_drop("eve", Offence.PEX_FLOOD)
        assert len(play.torrent.peerbook) <= 2 * MOST + 2
        play.unchokes("ann").gives("ann", 0).gives("ann", 1)
        assert play.have == "11"
        dials.clear()
        play.waits(3600.0)
        assert max(dials.count(address) for address in dials) <= HEARSAY_FAILURES_MOST
        assert len(play.torrent.peerbook) <= 2


def test_nobody_can_make_us_knock_at_every_door_of_a_victim() -> None:
    """Of one host, one address is taken from a message: fifty ports in each give one a minute."""
    with Playbook() as play:
        play.joins("eve", extensions={NAME: THEIRS})
        for minute in range(10):
            tells(play, "eve", *[Address("10.66.0.1", 7000 + 100 * minute + port) for port in range(MOST)])
            play.waits(60.0)
        assert play.actors["eve"].lost_by is None
        dropped = [event for event in play.events if isinstance(event, PeerDropped)]
        assert 1 <= len({event.address for event in dropped if event.address.host == "10.66.0.1"}) <= 10


def test_peers_are_told_of_each_other_once_a_minute_at_most() -> None:
    with Playbook() as play:
        play.joins("ann", extensions={NAME: THEIRS}, dialed=True)
        hears: list[tuple[float, PexMessage]] = []
        for number in range(40):
            if number % 3 == 0:
                play.joins(f"bob{number}", dialed=True)
            elif number % 3 == 1:
                play.leaves(f"bob{number - 1}")
            play.waits(10.0)
            hears += [
                (play.world.now, PexMessage.parse(message.payload))
                for message in play.heard("ann")
                if isinstance(message, Extended) and message.ext_id == THEIRS
            ]
        times = [at for at, _ in hears]
        assert len(times) >= 3
        assert all(later - sooner >= INTERVAL_SECONDS - 10.0 for sooner, later in pairwise(times))
        assert times[0] <= 10.0 + FIRST_SECONDS
        assert not any(set(message.added) & set(message.dropped) for _, message in hears)


def test_who_takes_it_back_is_told_no_more() -> None:
    with Playbook() as play:
        play.joins("ann", extensions={NAME: THEIRS}).says(
            "ann", Extended(HANDSHAKE_EXT_ID, ExtendedHandshake(extensions={NAME: 0}).encode())
        )
        play.joins("bob", dialed=True).waits(100.0)
        assert [message for message in play.heard("ann") if isinstance(message, Extended)] == []
