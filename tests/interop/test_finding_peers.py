"""Who knows one peer hears of the others by peer exchange, and who knows nobody finds them in the local network."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.bittern import QUIET, Bittern
from tests.interop.rigs.client import Client, Peer, Swarm
from tests.interop.rigs.content import Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import RigError
from tests.interop.rigs.star import Link, Star, star
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission

TIMEOUT_SECONDS = 60
LPD = tuple(flag for flag in QUIET if flag != "--no-lsd")
PEX = tuple(flag for flag in QUIET if flag != "--no-pex")
SLOW = 1000
"""Bytes a second: who downloads like this is no source of the torrent."""

FINDERS: tuple[Client, ...] = (
    Libtorrent(options=("--lsd",)),
    Aria2(options=("--bt-enable-lpd=true",)),
    Transmission(settings=(("lpd-enabled", True),)),
)
TELLERS: tuple[Client, ...] = (
    Libtorrent(options=("--down-limit", str(SLOW))),
    Transmission(settings=(("pex-enabled", True), ("speed-limit-down", 1), ("speed-limit-down-enabled", True))),
)
HEARERS: tuple[Client, ...] = (Libtorrent(), Transmission(settings=(("pex-enabled", True),)))


class OpenStar(Protocol):
    """Opens a swarm with so many hosts."""

    def __call__(self, kind: Kind, hosts: int, *clients: Client) -> tuple[Swarm, Star]:
        """Skips the test (fails it in CI) when a client is missing."""


@pytest.fixture
def open_star(tmp_path: Path) -> Iterator[OpenStar]:
    require(missing_for_namespace())
    with ExitStack() as stack:

        def opened(kind: Kind, hosts: int, *clients: Client) -> tuple[Swarm, Star]:
            for client in clients:
                require(client.missing())
            network = stack.enter_context(star(tmp_path, [Link()] * hosts))
            for host in network.hosts:  # not all clients name the interface
                subprocess.run([*host.enter, *["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]], check=True)
            tracker = stack.enter_context(serve(network.switch.listen()))
            return stack.enter_context(Swarm(network.switch, tracker, tmp_path, kind)), network

        yield opened


def bare(swarm: Swarm) -> str:
    """The magnet link without its tracker."""
    return "&".join(part for part in swarm.magnet.split("&") if not part.startswith("tr="))


def named(star: Star, host: int, peer: Peer) -> tuple[str, str]:
    return "--peer", f"{star.hosts[host].address}:{peer.port}"


# --- the local network


@pytest.mark.parametrize("partner", FINDERS, ids=str)
def test_bittern_finds_a_seed_in_the_local_network(open_star: OpenStar, partner: Client) -> None:
    swarm, network = open_star(Kind.V1_SINGLE, 2, partner)
    swarm.seed(partner, place=network.hosts[0])
    peer, downloaded = swarm.get(Bittern(quiet=LPD), swarm.untracked(), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", FINDERS, ids=str)
def test_a_partner_finds_bittern_in_the_local_network(open_star: OpenStar, partner: Client) -> None:
    swarm, network = open_star(Kind.V1_SINGLE, 2, partner)
    swarm.seed(Bittern(quiet=LPD), place=network.hosts[0])
    peer, downloaded = swarm.get(partner, swarm.untracked(), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    peer.close()
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", FINDERS, ids=str)
def test_a_magnet_link_with_nothing_but_the_local_network_completes(open_star: OpenStar, partner: Client) -> None:
    swarm, network = open_star(Kind.V1_SINGLE, 2, partner)
    swarm.seed(partner, place=network.hosts[0])
    peer, downloaded = swarm.get(Bittern(quiet=LPD), bare(swarm), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("kind", [Kind.V2, Kind.HYBRID], ids=str)
def test_a_magnet_link_with_nothing_but_a_hash_of_version_2_completes(open_star: OpenStar, kind: Kind) -> None:
    partner = Libtorrent(options=("--lsd",))
    swarm, network = open_star(kind, 2, partner)
    swarm.seed(partner, place=network.hosts[0])
    link = next(part for part in swarm.magnet.removeprefix("magnet:?").split("&") if "btmh" in part)
    peer, downloaded = swarm.get(Bittern(quiet=LPD), f"magnet:?{link}", place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


# --- peer exchange: the one peer that the leecher knows has nearly nothing, the seed has all and knows not of it


@pytest.mark.parametrize("partner", TELLERS, ids=str)
def test_bittern_hears_of_a_seed_from_the_one_peer_that_it_knows(open_star: OpenStar, partner: Client) -> None:
    swarm, network = open_star(Kind.V1_SINGLE, 3, partner)
    swarm.seed(Libtorrent(), place=network.hosts[0])
    middle, _ = swarm.get(partner, place=network.hosts[1])
    options = named(network, 1, middle)
    peer, downloaded = swarm.get(Bittern(quiet=PEX, options=options), swarm.untracked(), place=network.hosts[2])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize(
    ("partner", "kind"), [*((teller, Kind.V1_SINGLE) for teller in TELLERS), (TELLERS[0], Kind.HYBRID)], ids=str
)
def test_a_magnet_link_with_nothing_but_one_peer_that_tells_of_others_completes(
    open_star: OpenStar, partner: Client, kind: Kind
) -> None:
    swarm, network = open_star(kind, 3, partner)
    swarm.seed(Libtorrent(), place=network.hosts[0])
    middle, _ = swarm.get(partner, place=network.hosts[1])
    options = named(network, 1, middle)
    peer, downloaded = swarm.get(Bittern(quiet=PEX, options=options), bare(swarm), place=network.hosts[2])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", HEARERS, ids=str)
def test_a_partner_hears_of_a_seed_from_bittern(open_star: OpenStar, partner: Client) -> None:
    swarm, network = open_star(Kind.V1_SINGLE, 3, partner)
    # A seed that listens, too, dials at the same moment; where both are libtorrent's, each then refuses the other.
    swarm.seed(Libtorrent(options=("--no-pex",)), place=network.hosts[0])
    peer, downloaded = swarm.get(partner, swarm.untracked(), place=network.hosts[2])
    options = ("--down-limit", str(SLOW), *named(network, 2, peer))
    swarm.get(Bittern(quiet=PEX, options=options), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    peer.close()
    assert swarm.content.differences(downloaded.folder) == []


def test_without_peer_exchange_nobody_hears_of_the_seed(open_star: OpenStar) -> None:
    """What the two tests before show is peer exchange and nothing else."""
    swarm, network = open_star(Kind.V1_SINGLE, 3)
    # Who knows both would tell the seed of bittern, too, and the seed would dial it.
    swarm.seed(Libtorrent(options=("--no-pex",)), place=network.hosts[0])
    middle, _ = swarm.get(TELLERS[0], place=network.hosts[1])
    peer, _ = swarm.get(Bittern(options=named(network, 1, middle)), swarm.untracked(), place=network.hosts[2])
    with pytest.raises(RigError, match="still runs"):
        peer.wait_complete(15)
