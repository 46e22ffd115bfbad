"""Several real clients in one swarm at once, each a host of its own, feeding each other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client, Peer, Swarm
from tests.interop.rigs.content import PIECE_SIZE, SINGLE_SIZE, Content, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.star import Link, Star, star
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission

# All of them seed on when they are complete, and check what they find.
CLIENTS: tuple[Client, ...] = (
    Bittern(options=("--seed-time", "10")),
    Libtorrent(),
    Aria2(options=("--seed-time=10", "--check-integrity=true")),
    Transmission(),
)
PIECES = -(-SINGLE_SIZE // PIECE_SIZE)
TIMEOUT_SECONDS = 60
SLOW = 8 * SINGLE_SIZE // 4  # bits per second: one copy in four seconds


class OpenStar(Protocol):
    """Opens a swarm with a host for each of the links."""

    def __call__(self, links: Sequence[Link]) -> tuple[Swarm, Star]:
        """Skips the test (fails it in CI) when a client is missing."""


@pytest.fixture
def open_star(tmp_path: Path) -> Iterator[OpenStar]:
    require(missing_for_namespace())
    for client in CLIENTS:
        require(client.missing())
    with ExitStack() as stack:

        def opened(links: Sequence[Link]) -> tuple[Swarm, Star]:
            network = stack.enter_context(star(tmp_path, links))
            tracker = stack.enter_context(serve(network.switch.listen()))
            return stack.enter_context(Swarm(network.switch, tracker, tmp_path, Kind.V1_SINGLE)), network

        yield opened


def complete(swarm: Swarm, started: Sequence[tuple[Peer, Content]]) -> None:
    """Wait until all have told the tracker so, end them in order, and compare every byte."""
    for peer, _ in started:
        if not wait_until(lambda port=peer.port: swarm.tracker.has_seed(port), TIMEOUT_SECONDS):  # type: ignore[misc]
            raise peer.running.failure("is not complete")
    for peer, _ in started:
        peer.close()
    assert [swarm.content.differences(content.folder) for _, content in started] == [[]] * len(started)


def test_four_kinds_of_clients_that_hold_a_quarter_each_complete_each_other(open_star: OpenStar) -> None:
    """Nobody starts as a seed: what only one has can only come from that one."""
    swarm, network = open_star([Link()] * len(CLIENTS))
    quarters = [range(number, PIECES, len(CLIENTS)) for number in range(len(CLIENTS))]
    started = [
        swarm.get(client, again=swarm.part(client, quarter), place=host)
        for client, quarter, host in zip(CLIENTS, quarters, network.hosts, strict=True)
    ]
    complete(swarm, started)
    for number, quarter in enumerate(quarters):
        assert network.sent(number) > (len(quarter) - 1) * PIECE_SIZE  # the last piece is shorter
    ours, _ = started[0]
    last = [announce for announce in swarm.tracker.announces if announce.port == ours.port][-1]
    assert (last.event, last.left) == ("stopped", 0)
    assert last.uploaded >= len(quarters[0]) * PIECE_SIZE


def test_four_kinds_of_clients_share_what_a_slow_seed_sends_once(open_star: OpenStar) -> None:
    """The seed sends less than two copies, and four are made of them."""
    swarm, network = open_star([Link(up=SLOW), *[Link()] * len(CLIENTS)])
    swarm.seed(Libtorrent(), place=network.hosts[0])
    started = [swarm.get(client, place=host) for client, host in zip(CLIENTS, network.hosts[1:], strict=True)]
    complete(swarm, started)
    assert network.sent(0) < 2 * SINGLE_SIZE
