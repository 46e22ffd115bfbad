"""kill -9 in the middle of downloads: the next run goes on, and no more than the last moments are fetched again."""

import os
import signal
from pathlib import Path
from random import Random

import pytest

from tests.faults.rigs import program
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import MIB, NAME, Torrent, make
from tests.interop.conftest import require
from tests.interop.rigs.content import Content
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK

KILLS = 10
SIZE = 16 * MIB
DONE_WITHIN = 20
# What is on its way when a process dies: in sockets' buffers, and in pieces that are not whole.
LAST_MOMENTS = MIB


def killed(job: program.Program, proxy: Proxy) -> None:
    """Kill it as soon as the proxy has carried what it may; nothing more comes meanwhile."""
    assert proxy.reached.wait(DONE_WITHIN)
    os.kill(job.running.pid, signal.SIGKILL)
    assert job.ends(5) == -signal.SIGKILL


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Torrent:
    return make(tmp_path_factory.mktemp("large"), SIZE, seed=2)


def test_ten_kills_cost_no_more_than_what_was_on_its_way(large: Torrent, into: Path, tmp_path: Path) -> None:
    client = Libtorrent()
    require(client.missing())
    rng = Random(31)
    carried, done = 0, 0
    with client.seed(large.path, Content(large.folder, NAME), LOOPBACK, tmp_path) as seed:
        for _ in range(KILLS):
            more = rng.randrange(1, SIZE // KILLS)
            with (
                Proxy(seed.port, limit=more) as proxy,
                program.get(large.path, into, tmp_path / "get", peers=(proxy.address,)) as job,
            ):
                killed(job, proxy)
            checked = job.saw("checked")["done_bytes"]
            assert checked >= done
            done = checked
            carried += proxy.carried
        with Proxy(seed.port) as proxy, program.get(large.path, into, tmp_path / "get", peers=(proxy.address,)) as job:
            assert job.ends(DONE_WITHIN) == 0
    carried += proxy.carried
    assert (into / NAME).read_bytes() == large.data
    wasted = carried - SIZE
    assert wasted < KILLS * LAST_MOMENTS, wasted
