"""What a tracker hears from bittern, and that an interrupted download goes on where it was."""

from dataclasses import replace

from tests.interop.conftest import OpenSwarm
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.content import SINGLE_SIZE, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.process import wait_until

UNFINISHED = 7


def test_a_download_is_started_completed_stopped(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Libtorrent())
    swarm.seed(Libtorrent())
    peer, _ = swarm.get(Bittern())
    peer.wait_complete(60)
    announces = [a for a in swarm.tracker.announces if a.port == peer.port]
    assert [a.event for a in announces if a.event] == ["started", "completed", "stopped"]
    assert announces[0].left == SINGLE_SIZE
    assert (announces[-1].left, announces[-1].downloaded) == (0, SINGLE_SIZE)
    assert {a.compact for a in announces} == {"1"}
    assert {a.peer_id[:8] for a in announces} == {announces[0].peer_id[:8]}
    assert announces[0].peer_id.startswith(b"-BZ")
    assert announces[0].user_agent.startswith("bittern/")


def test_a_seed_is_started_and_stopped(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_MULTI, Libtorrent())
    seed = swarm.seed(Bittern())
    seed.close()
    announces = [a for a in swarm.tracker.announces if a.port == seed.port]
    assert [(a.event, a.left) for a in announces] == [("started", 0), ("stopped", 0)]


def test_an_interrupted_download_goes_on_where_it_was(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Libtorrent())
    swarm.seed(Libtorrent())
    slow, downloaded = swarm.get(replace(Bittern(), options=("--down-limit", "500k")))
    file = downloaded.path
    assert wait_until(lambda: file.exists() and file.stat().st_blocks * 512 > SINGLE_SIZE // 4, timeout=30)
    slow.running.interrupt()
    assert slow.running.wait(10) == UNFINISHED

    peer, _ = swarm.get(Bittern(), again=downloaded)
    peer.wait_complete(60)
    assert swarm.content.differences(downloaded.folder) == []
    first, *_, last = (a for a in swarm.tracker.announces if a.port == peer.port)
    assert first.left < SINGLE_SIZE
    assert last.downloaded == first.left


def test_a_download_that_found_its_peers_goes_on_without_its_tracker(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Libtorrent())
    swarm.seed(Libtorrent())
    slow, downloaded = swarm.get(replace(Bittern(), options=("--down-limit", "500k")))
    file = downloaded.path
    assert wait_until(lambda: file.exists() and file.stat().st_blocks * 512 > SINGLE_SIZE // 4, timeout=30)
    slow.running.interrupt()
    assert slow.running.wait(10) == UNFINISHED

    peer, _ = swarm.get(Bittern(), swarm.untracked(), again=downloaded)
    peer.wait_complete(60)
    assert swarm.content.differences(downloaded.folder) == []
