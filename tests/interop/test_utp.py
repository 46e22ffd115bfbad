"""uTP alone, over lines that are slow and lose datagrams, beside libtorrent and Transmission in both roles."""

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.interop.conftest import require
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client, Peer, Swarm
from tests.interop.rigs.content import Content, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.router import behind
from tests.interop.rigs.star import NET, SWITCH_HOST, Link, run_in, star
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission

OURS = Bittern(quiet=("--no-dht", "--no-lsd", "--no-pex", "--no-nat", "--no-tcp"))
LIBTORRENT = Libtorrent(options=("--utp",))
TRANSMISSION = Transmission(settings=(("utp-enabled", True),))
PAIRS: Sequence[tuple[Client, Client]] = (
    (LIBTORRENT, OURS),
    (OURS, LIBTORRENT),
    (TRANSMISSION, OURS),
    (OURS, TRANSMISSION),
    (OURS, OURS),
)
LINE = Link(up=16_000_000, down=16_000_000)
LOST_PER_CENT = 2
TIMEOUT_SECONDS = 60


def spoil(host: Place) -> None:
    """No connections over TCP but with the tracker, and datagrams that do not arrive."""
    for rule in (
        "table ip line",
        "chain ip line input { type filter hook input priority 0 ; }",
        "rule ip line input iif lo accept",
        f"rule ip line input ip saddr {NET}.{SWITCH_HOST} accept",
        "rule ip line input meta l4proto tcp counter drop",
        f"rule ip line input meta l4proto udp numgen random mod 100 < {LOST_PER_CENT} counter drop",
    ):
        run_in(host, f"nft add {rule}")


def dropped(host: Place) -> int:
    """Datagrams that did not arrive."""
    listed = run_in(host, "nft list chain ip line input")
    found = re.search(r"numgen.* counter packets (\d+) ", listed)
    assert found is not None
    return int(found[1])


def begin(swarm: Swarm, seed: Client, leecher: Client, hosts: Sequence[Place]) -> tuple[Peer, Content]:
    """A leecher that is connected to a seed, or about to be."""
    if not isinstance(leecher, Transmission):
        swarm.seed(seed, place=hosts[0])
        return swarm.get(leecher, place=hosts[1])
    # Where Transmission 3.00 dials over uTP it may leave unread what comes with the handshake, from libtorrent, too;
    # on a line that loses datagrams the words that would rouse it may come with them.
    taking = swarm.get(leecher, place=hosts[1])
    swarm.tracker.wait_for(lambda announce: announce.left > 0)
    swarm.seed(replace(OURS, options=("--peer", f"{hosts[1].address}:{taking[0].port}")), place=hosts[0])
    return taking


def test_over_lines_that_are_slow_and_lose_datagrams_everything_arrives(tmp_path: Path) -> None:
    """All pairs at once, each with a line, a torrent and a tracker of its own: Transmission takes its time."""
    require(missing_for_namespace())
    require(None if shutil.which("nft") else "lines that lose something need `nft`")
    for client in (LIBTORRENT, TRANSMISSION):
        require(client.missing())
    with ExitStack() as stack:
        network = stack.enter_context(star(tmp_path, [LINE] * (2 * len(PAIRS))))
        for host in network.hosts:
            spoil(host)
        swarms, leechers = [], []
        for number, (seed, leecher) in enumerate(PAIRS):
            folder = tmp_path / f"{number}-{seed}-{leecher}"
            folder.mkdir()
            tracker = stack.enter_context(serve(network.switch.listen()))
            swarms.append(stack.enter_context(Swarm(network.switch, tracker, folder, Kind.V1_SINGLE)))
            leechers.append(begin(swarms[-1], seed, leecher, network.hosts[2 * number : 2 * number + 2]))
        for peer, _ in leechers:
            peer.wait_complete(TIMEOUT_SECONDS)
        for peer, _ in leechers:
            peer.close()
        differences = [
            swarm.content.differences(content.folder) for swarm, (_, content) in zip(swarms, leechers, strict=True)
        ]
        assert differences == [[]] * len(PAIRS)
        assert all(dropped(host) for host in network.hosts[1::2])


SWALLOWS = """table ip line {
  set gone { typeof @th,192,16; flags dynamic,timeout; timeout 60s; size 8; }
  chain input {
    type filter hook input priority 0;
    udp length > 1000 @th,192,16 @gone counter drop comment "again"
    udp length > 1000 numgen inc mod 1000000 300-304 add @gone { @th,192,16 } counter drop
  }
}"""
"""A line on which five packets of a stream, known by their numbers, never arrive, however often they are repeated."""


def test_who_gives_up_a_connection_without_a_word_is_asked_anew(tmp_path: Path) -> None:
    """As libtorrent does when a packet was lost three times: nothing comes any more, not even an answer."""
    require(missing_for_namespace())
    require(None if shutil.which("nft") else "lines that lose something need `nft`")
    require(LIBTORRENT.missing())
    with ExitStack() as stack:
        network = stack.enter_context(star(tmp_path, [LINE, LINE]))
        rules = tmp_path / "swallows.nft"
        rules.write_text(SWALLOWS)
        run_in(network.hosts[1], f"nft -f {rules}")
        tracker = stack.enter_context(serve(network.switch.listen()))
        swarm = stack.enter_context(Swarm(network.switch, tracker, tmp_path, Kind.V1_SINGLE))
        peer, content = begin(swarm, LIBTORRENT, OURS, network.hosts)
        peer.wait_complete(2 * TIMEOUT_SECONDS)  # it is half a minute until that is noticed
        assert swarm.content.differences(content.folder) == []
        listed = run_in(network.hosts[1], "nft list chain ip line input")
        assert re.search(r'counter packets [1-9].*"again"', listed)


def test_a_line_with_short_packets_is_no_obstacle(tmp_path: Path) -> None:
    """The system says so to one side, and nothing at all arrives of what the other side makes too long."""
    require(missing_for_namespace())
    with ExitStack() as stack:
        network = stack.enter_context(star(tmp_path, [Link(), Link()]))
        run_in(network.hosts[0], "ip link set eth0 mtu 900")
        for number, hosts in enumerate((network.hosts, network.hosts[::-1])):
            folder = tmp_path / str(number)
            folder.mkdir()
            tracker = stack.enter_context(serve(network.switch.listen()))
            swarm = stack.enter_context(Swarm(network.switch, tracker, folder, Kind.V1_SINGLE))
            swarm.seed(OURS, place=hosts[0])
            peer, content = swarm.get(OURS, place=hosts[1])
            peer.wait_complete(TIMEOUT_SECONDS)
            assert swarm.content.differences(content.folder) == []


MUTE = """table ip mute {
  chain said { type filter hook output priority 0; icmp type destination-unreachable counter drop; }
}"""
"""A router that tells nobody what it does not lead on."""


def test_a_line_whose_packets_become_shorter_in_the_middle_goes_on(tmp_path: Path) -> None:
    """What has left in the size that it had is cut by the router; what follows is as short as the line takes."""
    require(missing_for_namespace())
    require(None if shutil.which("nft") else "routers that translate addresses need `nft`")
    with ExitStack() as stack:
        network = stack.enter_context(star(tmp_path, [Link(down=8_000_000), Link()]))
        host, router = network.hosts
        home = stack.enter_context(behind(router, tmp_path / "home.log"))
        tracker = stack.enter_context(serve(network.switch.listen()))
        swarm = stack.enter_context(Swarm(network.switch, tracker, tmp_path, Kind.V1_SINGLE))
        taking, content = swarm.get(OURS, place=host)
        tracker.wait_for(lambda announce: announce.left > 0)
        swarm.seed(replace(OURS, options=("--peer", f"{host.address}:{taking.port}")), place=home)
        wait_until(lambda: network.sent(1) > 400_000, timeout=TIMEOUT_SECONDS)
        rules = tmp_path / "mute.nft"
        rules.write_text(MUTE)
        run_in(router, f"nft -f {rules}")
        run_in(router, "ip link set eth0 mtu 1000")
        assert network.sent(1) < 1_900_000
        taking.wait_complete(TIMEOUT_SECONDS)
        assert swarm.content.differences(content.folder) == []
        shown = run_in(router, "cat /proc/net/snmp").splitlines()
        names, values = (line.split()[1:] for line in shown if line.startswith("Ip:"))
        assert int(values[names.index("FragOKs")]) > 0
        assert re.search(r"counter packets [1-9]", run_in(router, "nft list chain ip mute said"))
