"""The drill's own parts, and its cheapest rows in their short form; `make drill` runs them all."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Barrier, Lock

import pytest

from bittern.session.store import FILE
from drill import kills
from drill.__main__ import run_all
from drill.invariant import Surroundings, believed
from drill.row import Outcome, Room, Row
from drill.rows import ROWS
from drill.saved import damages
from drill.strace import by_thread, injected, killed, most_in_a_thread
from tests.faults.rigs.kills import Kill
from tests.faults.rigs.program import get, home
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, make_album
from tests.interop.conftest import require
from tests.session.moves import MoveKill


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) > 0


def test_a_row_that_raises_has_failed_and_what_it_started_is_gone(tmp_path: Path) -> None:
    room = Room(tmp_path, Random(1), short=True)
    started = []

    def run(room: Room) -> Outcome:
        started.append(room.start("sleep", "60"))
        raise AssertionError("a piece is false")

    outcome = Row("bad", "a fault", "a demand", run).outcome(room)
    assert outcome == Outcome(passed=False, remarks="AssertionError: a piece is false")
    assert started[0].exit_code is not None


def test_rows_that_wait_run_beside_all_others_and_these_by_turns() -> None:
    """Were it not so, nobody would come to the barriers, and the time for that would run out."""
    everybody, by_turns = Barrier(3, timeout=60), Lock()

    def do(row: Row) -> tuple[Outcome | None, float]:
        if row.name == "b":  # the first by turns, beside both that wait
            everybody.wait()
            return Outcome(passed=by_turns.acquire(blocking=False)), 1.0
        if row.name == "d":
            return Outcome(passed=by_turns.locked()), 2.0
        everybody.wait()
        return None, 0.0

    rows = [Row(name, "a fault", "a demand", lambda _: Outcome(passed=True), waits=name in "ac") for name in "abcd"]
    found = run_all(rows, 1, do)
    assert [(row.name, outcome and outcome.passed) for row, outcome, _ in found] == [
        ("a", None),
        ("b", True),
        ("c", None),
        ("d", True),
    ]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Torrent:
    return make_album(tmp_path_factory.mktemp("album"), [100_000, 10, MIB - 100_010])


def test_pieces_that_are_right_are_found_without_our_code(album: Torrent) -> None:
    assert album.right(album.folder) == set(range(16))
    assert album.right(album.folder / "elsewhere") == set()


def test_what_is_saved_is_believed_only_of_files_that_look_as_they_did(album: Torrent, tmp_path: Path) -> None:
    state = Path(home(tmp_path)["XDG_STATE_HOME"]) / "bittern"
    assert believed(state, album, album.folder) == set()
    with get(album.path, album.folder, tmp_path) as job:
        assert job.ends(30) == 0, job.lines
    assert believed(state, album, album.folder) == set(range(16))
    second = album.folder / album.files[1][0]
    os.utime(second, ns=(0, 0))
    assert believed(state, album, album.folder) == set(range(16)) - {1}  # which holds all of that file
    assert PIECE < album.files[0][1] < album.files[0][1] + album.files[1][1] < 2 * PIECE


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("above.txt", lambda path: path.write_text("overwritten")),
        ("downloads/yours.txt", lambda path: path.unlink()),
        ("beside", lambda path: path.chmod(0o700)),
        ("downloads/link", lambda path: path.unlink()),
        ("downloads/stray.bin", lambda path: path.touch()),
        ("downloads-2/wanted album", lambda path: os.utime(path, ns=(5, 5))),
    ],
)
def test_a_change_around_the_torrent_is_seen(
    album: Torrent, tmp_path: Path, name: str, changed: Callable[[Path], object]
) -> None:
    around = Surroundings(tmp_path / "world", album)
    (around.into / "wanted album").mkdir()
    (around.into / "wanted album" / "new.bin").touch()
    around.check()
    changed(tmp_path / "world" / name)
    with pytest.raises(AssertionError, match=name):
        around.check()


SHORT = (
    "read-only",
    "disk-full",
    "disk-full-recovers",
    "state-disk-full",
    "state-damaged",
    "kill-at-calls",
    "two-sessions",
    "announces",
)


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_does_no_harm(tmp_path: Path, name: str) -> None:
    [row] = [row for row in ROWS if row.name == name]
    require(row.missing())
    outcome = row.outcome(Room(tmp_path, Random(name), short=True))
    assert outcome.passed, outcome


def test_calls_that_were_noted_are_counted_by_thread(tmp_path: Path) -> None:
    log = tmp_path / "strace.txt"
    log.write_text(
        '11 pwrite64(7, "x"..., 1, 0) = 1\n12 pwrite64(7, "x"..., 1, 1) = -1 EIO (Input/output error) (INJECTED)\n'
        '12 pwrite64(7, "x"..., 1, 1 <unfinished ...>\n12 <... pwrite64 resumed>) = 1\n12 openat(AT_FDCWD, "x") = 7\n'
        "12 +++ killed by SIGKILL +++\n"
    )
    assert (most_in_a_thread(log, "pwrite64"), most_in_a_thread(log, "openat")) == (2, 1)
    assert most_in_a_thread(log, "fsync") == 0
    assert by_thread(log) == {11: {"pwrite64": 1}, 12: {"pwrite64": 2, "openat": 1}}
    assert (injected(log), killed(log)) == (1, True)
    assert (injected(tmp_path / "none"), killed(tmp_path / "none")) == (0, False)


def test_saved_state_is_damaged_in_many_ways(tmp_path: Path) -> None:
    """Each of them leaves other bytes than there were."""
    whole = {FILE: bytes(range(256)) * 8, f"{FILE}-wal": bytes(range(256)) * 4}
    names = set()
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    for name, damage in damages(tmp_path, Random(1), 2):
        for file, data in whole.items():
            (tmp_path / file).write_bytes(data)
        damage(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} != whole, name
        names.add(name)
    assert len(names) > 10


def test_kills_are_summed() -> None:
    hit = [Kill("download", 5, 0, 1, 9 * PIECE, again, 2 * again) for again in (1024, 2048, 4096)]
    assert list(kills.figures(hit, 100 * PIECE).values()) == [3, 0, 3, 2, 4, 0.1, 4]
    moved = [MoveKill("same", 0, 9, 0), MoveKill("other", 5, 4, 1), MoveKill("other", 9, 0, 0)]
    assert list(kills.figures_of_moves(moved).values()) == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("kill", "missed"),
    [
        (Kill("download", 5, 0, 0, 9 * PIECE, 3 * PIECE, 2 * PIECE), []),
        (Kill("download", 5, 0, 0, 9 * PIECE, 4 * PIECE, 2 * PIECE), ["131072 bytes came again though they were not"]),
        (Kill("check", 5, 1, 0), ["1 false pieces after a kill of the check"]),
        (Kill("download", 5, 0, 0, 9 * PIECE, 0, kills.WINDOW + 1), ["bytes were in flight"]),
    ],
)
def test_what_kills_must_not_do_is_told(kill: Kill, missed: list[str]) -> None:
    found = kills.shortfalls([kill], 100 * PIECE)
    assert len(found) == len(missed)
    assert all(expected in said for said, expected in zip(found, missed, strict=True))
