"""Announces by datagrams, side by side with real clients, and to trackers of others by either protocol."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from bittern.codec.metainfo import Metainfo
from tests.interop.conftest import require
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client, Swarm
from tests.interop.rigs.content import SINGLE_SIZE, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.udp_tracker import (
    Program,
    missing_npm_tracker,
    missing_opentracker,
    run_npm_tracker,
    run_opentracker,
    serve_udp,
)


def test_a_download_by_a_udp_tracker_is_started_completed_stopped(tmp_path: Path) -> None:
    require(Libtorrent().missing())
    with serve_udp() as tracker, Swarm(LOOPBACK, tracker, tmp_path, Kind.V1_SINGLE) as swarm:
        swarm.seed(Libtorrent())
        peer, _ = swarm.get(Bittern())
        peer.wait_complete(60)
        announces = [(a, key) for a, key in zip(tracker.announces, tracker.keys, strict=True) if a.port == peer.port]
        assert [a.event for a, _ in announces if a.event] == ["started", "completed", "stopped"]
        first, last = announces[0][0], announces[-1][0]
        assert (first.left, last.left, last.downloaded) == (SINGLE_SIZE, 0, SINGLE_SIZE)
        assert first.peer_id.startswith(b"-BZ")
        assert len({key for _, key in announces}) == 1
        assert b"/announce" in tracker.url_data


def test_libtorrent_finds_us_by_a_udp_tracker(tmp_path: Path) -> None:
    """aria2 announces by UDP only with its DHT."""
    partner = Libtorrent()
    require(partner.missing())
    with serve_udp() as tracker, Swarm(LOOPBACK, tracker, tmp_path, Kind.V1_SINGLE) as swarm:
        seed = swarm.seed(Bittern())
        peer, into = swarm.get(partner)
        peer.wait_complete(90)
        assert swarm.content.differences(into.folder) == []
        seed.close()
        assert tracker.events(seed.port) == ["started", "stopped"]


@pytest.mark.parametrize("seeder", [Libtorrent(), Bittern()], ids=lambda client: client.name)
@pytest.mark.parametrize("scheme", ["udp", "http"])
@pytest.mark.parametrize(
    ("run", "missing"),
    [(run_opentracker, missing_opentracker), (run_npm_tracker, missing_npm_tracker)],
    ids=["opentracker", "npm"],
)
def test_a_tracker_of_others_brings_us_together(
    run: Callable[[Program, bytes, Path], AbstractContextManager[None]],
    missing: Callable[[], str | None],
    scheme: str,
    seeder: Client,
    tmp_path: Path,
) -> None:
    require(missing())
    require(seeder.missing())
    tracker = Program(LOOPBACK.free_port(), scheme)
    with ExitStack() as stack:
        swarm = stack.enter_context(Swarm(LOOPBACK, tracker, tmp_path, Kind.V1_SINGLE))
        info_hash = Metainfo.load(swarm.torrent).info.wire_hash
        stack.enter_context(run(tracker, info_hash, tmp_path))
        swarm.seed(seeder)
        assert tracker.counts()[::2] == (1, 0)
        peer, into = swarm.get(Bittern())
        peer.wait_complete(60)
        assert swarm.content.differences(into.folder) == []
        # One download was completed, and whoever completed it has said goodbye. That of npm counts no completed ones.
        done = (1, 1, 0) if run is run_opentracker else (1, tracker.counts()[1], 0)
        assert wait_until(lambda: tracker.counts() == done, 10), tracker.counts()
