"""With nothing but the distributed hash table: links without trackers, hosts that know one node and not each other."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.bittern import QUIET, Bittern
from tests.interop.rigs.client import Client, Swarm
from tests.interop.rigs.content import Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.node import Nodes, dht_nodes
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.star import Link, Star, star
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission

TIMEOUT_SECONDS = 150
"""Transmission announces nothing for the first minute, and has to know nine nodes."""
pytestmark = pytest.mark.timeout(2 * TIMEOUT_SECONDS)
NODES = 12
WITH_DHT = tuple(flag for flag in QUIET if flag != "--no-dht")

OpenTable = Callable[..., tuple[Swarm, Star, Nodes]]


@pytest.fixture
def open_table(tmp_path: Path) -> Iterator[OpenTable]:
    """Three hosts, and nodes of the table on the last."""
    require(missing_for_namespace())
    with ExitStack() as stack:

        def opened(kind: Kind, *clients: Client) -> tuple[Swarm, Star, Nodes]:
            for client in clients:
                require(client.missing())
            network = stack.enter_context(star(tmp_path, [Link()] * 3))
            nodes = stack.enter_context(dht_nodes(network.hosts[2], tmp_path, NODES))
            tracker = stack.enter_context(serve(network.switch.listen()))
            return stack.enter_context(Swarm(network.switch, tracker, tmp_path, kind)), network, nodes

        yield opened


def bittern(node: str) -> Bittern:
    """No trackers, no local network, no peer exchange: a table whose node is known."""
    return Bittern(quiet=WITH_DHT, options=("--no-trackers", "--dht-router", node))


def libtorrent(node: str) -> Libtorrent:
    return Libtorrent(options=("--no-pex", "--dht-node", node))


def transmission(node: str) -> Transmission:
    return Transmission(settings=(("dht-enabled", True),), dht_node=node)


def seed_of_bittern(nodes: Nodes, swarm: Swarm, place: Place) -> None:
    """It tells the rig's tracker when it is ready, and the nodes a little later, by every info hash.

    Who looks for peers just then finds nobody, and looks again after 15 minutes.
    """
    swarm.seed(Bittern(quiet=WITH_DHT, options=("--dht-router", nodes.address)), place=place)
    for info_hash in re.findall("urn:(?:btih:|btmh:1220)([0-9a-f]{40})", swarm.magnet):
        nodes.wait_told(info_hash, TIMEOUT_SECONDS)


def link(swarm: Swarm, which: str = "xt") -> str:
    """The link with its info hashes, or one of them, and nothing else."""
    parts = swarm.magnet.removeprefix("magnet:?").split("&")
    return "magnet:?" + "&".join(part for part in parts if part.startswith("xt=") and which in part)


@pytest.mark.parametrize("partner", [libtorrent, transmission])
def test_bittern_completes_a_link_from_a_seed_that_only_the_table_knows(
    open_table: OpenTable, partner: Callable[[str], Client]
) -> None:
    swarm, network, nodes = open_table(Kind.V1_SINGLE, partner(""))
    swarm.seed(partner(nodes.address), place=network.hosts[0])
    peer, downloaded = swarm.get(bittern(nodes.address), link(swarm), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", [libtorrent, transmission])
def test_a_partner_finds_bittern_by_the_table_alone(open_table: OpenTable, partner: Callable[[str], Client]) -> None:
    swarm, network, nodes = open_table(Kind.V1_SINGLE, partner(""))
    seed_of_bittern(nodes, swarm, network.hosts[0])
    peer, downloaded = swarm.get(partner(nodes.address), link(swarm), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    peer.close()
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize(("kind", "which"), [(Kind.V2, "btmh"), (Kind.HYBRID, "btmh"), (Kind.HYBRID, "btih")], ids=str)
def test_a_link_of_version_2_completes_by_the_table_alone(open_table: OpenTable, kind: Kind, which: str) -> None:
    swarm, network, nodes = open_table(kind, libtorrent(""))
    swarm.seed(libtorrent(nodes.address), place=network.hosts[0])
    peer, downloaded = swarm.get(bittern(nodes.address), link(swarm, which), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("which", ["btmh", "btih"])
def test_a_partner_finds_a_hybrid_of_bittern_by_either_hash(open_table: OpenTable, which: str) -> None:
    swarm, network, nodes = open_table(Kind.HYBRID, libtorrent(""))
    seed_of_bittern(nodes, swarm, network.hosts[0])
    peer, downloaded = swarm.get(libtorrent(nodes.address), link(swarm, which), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    peer.close()
    assert swarm.content.differences(downloaded.folder) == []


def test_who_knows_one_peer_hears_of_its_node_and_finds_others_by_it(open_table: OpenTable) -> None:
    """BEP 5's PORT: no router is named; the peer that is named has nothing to give, its table leads to the seed."""
    swarm, network, nodes = open_table(Kind.V1_SINGLE, libtorrent(""))
    swarm.seed(libtorrent(nodes.address), place=network.hosts[0])
    slow = Libtorrent(options=("--no-pex", "--dht-node", nodes.address, "--down-limit", "1000"))
    middle, _ = swarm.get(slow, place=network.hosts[2])
    known = ("--peer", f"{network.hosts[2].address}:{middle.port}")
    nobody = ("--dht-router", f"{network.hosts[1].address}:9")
    ours = Bittern(quiet=WITH_DHT, options=("--no-trackers", *nobody, *known))
    peer, downloaded = swarm.get(ours, link(swarm), place=network.hosts[1])
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []
