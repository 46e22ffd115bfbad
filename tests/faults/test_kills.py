"""kill -9 in the middle of downloads and checks: nothing false is claimed, nothing that was stored is fetched again."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.rigs.kills import Drill
from tests.faults.rigs.torrent import MIB, NAME, PIECE, Torrent, make
from tests.interop.conftest import require
from tests.interop.rigs.content import Content
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK

KILLS = 5
SIZE = 16 * MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Torrent:
    return make(tmp_path_factory.mktemp("large"), SIZE, seed=2)


@pytest.fixture
def drill(large: Torrent, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Drill]:
    client = Libtorrent()
    require(client.missing())
    work = tmp_path / "seed"
    work.mkdir()
    with client.seed(large.path, Content(large.folder, NAME), LOOPBACK, work) as seed:
        yield Drill(
            large, seed.port, tmp_path / "get", Random(31), ("--down-limit", "20M", *getattr(request, "param", ()))
        )


@pytest.mark.parametrize("drill", [(), ("--part-suffix",)], ids=["own name", "suffix"], indirect=True)
def test_after_a_kill_all_that_is_right_in_the_file_is_claimed_and_nothing_else(drill: Drill) -> None:
    """What is fetched again is only what was on its way: in buffers, and in pieces that are not whole."""
    kills = list(drill.download(KILLS))
    assert [(kill.false, kill.forgotten) for kill in kills] == [(0, 0)] * KILLS
    assert all(kill.again <= kill.in_flight + PIECE for kill in kills)  # one for the greetings
    assert 0 < kills[-1].stored < drill.torrent.pieces


def test_a_check_that_is_killed_leaves_nothing_false(drill: Drill) -> None:
    """Each time one more piece was spoiled; in the end they alone are fetched."""
    drill.complete()
    kills = list(drill.check(KILLS - 2))
    assert [(kill.false, kill.forgotten) for kill in kills] == [(0, 0)] * (KILLS - 2)
    assert kills[-1].stored < drill.torrent.pieces
