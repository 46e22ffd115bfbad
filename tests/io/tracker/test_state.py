from pathlib import Path
from random import Random

import pytest

from bittern.io.tracker.state import StateFile, forget_further
from bittern.tracker import snapshot
from bittern.tracker.colleagues import home_of
from bittern.tracker.registry import Registry

HASHES = [bytes((0, 0, 0, number)) * 5 for number in range(12)]
WALL = 1e9


def registry() -> Registry:
    return Registry(0.0, 100.0, 1000, Random(1).random)


@pytest.fixture
def at_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: WALL)


def keep(path: Path, count: int) -> None:
    """As so many workers keep the swarms."""
    for index in range(count):
        mine = registry()
        for info_hash in HASHES:
            if home_of(info_hash, count) == index:
                mine.announce(info_hash, b"abcdef", True, 2, 0)
        StateFile(path, index, count).write(snapshot.save(mine, WALL))


def found(path: Path, index: int, count: int) -> list[bytes]:
    mine = registry()
    StateFile(path, index, count).load(mine)
    return [each for each in HASHES if mine.scrape(each) == (1, 0, 0)]


@pytest.mark.usefixtures("at_wall")
@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 3), (3, 1), (3, 2), (2, 12)])
def test_swarms_come_home_however_many_workers_there_were_and_are(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "state[1]*.dat"
    keep(path, before)
    assert len(list(tmp_path.iterdir())) == before
    for index in range(after):
        assert found(path, index, after) == [each for each in HASHES if home_of(each, after) == index]


def test_files_of_workers_that_are_no_more_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    keep(path, 12)
    (tmp_path / "state.old").touch()
    forget_further(path, 2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state", "state.1", "state.old"]


@pytest.mark.usefixtures("at_wall")
def test_a_damaged_file_is_told_and_the_others_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    keep(path, 2)
    (tmp_path / "state.1").write_bytes(b"rubbish")
    assert found(path, 0, 1) == [each for each in HASHES if home_of(each, 2) == 0]
    assert "state.1" in caplog.text
    assert found(tmp_path / "none", 0, 1) == []
