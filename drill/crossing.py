"""kill -9 at chosen system calls of a move between file systems: a copy, synced, renamed, then a deletion."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import machine
from bittern.io.disk.moving import draft_of
from drill.invariant import believed
from drill.row import Outcome, Room, Row, demand
from drill.scene import Scene
from drill.strace import Fault, content_paths, killed, most_in_a_thread, state_paths
from drill.syscalls import LATENT, NEVER, Removals, drawn
from tests.faults.rigs import strace

COPY = ("openat", "read", "write", "ftruncate", "chmod", "utimensat", "fsync")
CALLS = (*COPY, "rename", "unlink", "mkdir", "rmdir", "pwrite64", "fdatasync")
_FILE_SYSTEMS = (Path(tempfile.gettempdir()), Path("/var/tmp"), machine.SHM)


def _another(folder: Path) -> Path | None:
    """A folder on another file system than this one."""
    device = folder.stat().st_dev
    return next((other for other in _FILE_SYSTEMS if other.is_dir() and other.stat().st_dev != device), None)


@contextmanager
def _elsewhere(room: Room) -> Iterator[Path]:
    other = _another(room.folder)
    demand(other, "there is one file system only")
    assert other is not None
    with machine.scratch(other) as folder:
        yield folder


def _paths(scene: Scene, target: Path) -> list[Path]:
    """All that a move touches: what is moved, where it goes, by way of which names, and the saved state."""
    there = [target / name for name, _ in scene.torrent.files]
    drafts = [Path(draft_of(str(path))) for path in there]
    folders = [target, *(path.parent for path in there)]
    return [*content_paths(scene), *dict.fromkeys([*folders, *there, *drafts]), *state_paths(scene)]


def move(room: Room) -> Outcome:
    """Each call of the copy, and of what follows it, is the last one of a run; the next start goes on."""
    work, kills, both, drafts = Removals(room), 0, 0, 0
    with _elsewhere(room) as disk:
        scene, target = work.complete(), disk / "counted"
        log = scene.home / "strace.txt"
        counting = Fault(CALLS, LATENT, NEVER).before(log, _paths(scene, target))
        demand(work.do(scene, ["move", target], counting) == "moved", "it was not moved")
        _arrived(scene, target)
        counts = {call: most_in_a_thread(log, call) for call in CALLS}
        demand(all(counts[call] for call in ("write", "fsync", "rename", "unlink")), f"it was not copied: {counts}")
        for number, (call, nth) in enumerate(drawn(room, counts, 1)):
            scene, target = work.complete(), disk / str(number)
            log = scene.home / "strace.txt"
            fault = Fault((call,), "signal=SIGKILL", str(nth))
            work.do(scene, ["move", target], fault.before(log, _paths(scene, target)))
            if not killed(log):
                continue
            kills += 1
            twice, half = _whole_somewhere(scene, target, f"{call} {nth}")
            both, drafts = both + twice, drafts + half
            _goes_on(work, scene, target, f"{call} {nth}")
    demand(kills, "nothing was killed")
    return Outcome(passed=True, figures={"kills": kills, "files in both places": both, "drafts left": drafts})


def _whole_somewhere(scene: Scene, target: Path, when: str) -> tuple[int, int]:
    """Make sure that each file is whole, at one place or at both; how many are at both, and how many drafts there are.

    Raises:
        UnmetError: one is not.
    """
    torrent, begin, both = scene.torrent, 0, 0
    for name, length in torrent.files:
        found = [path for path in (scene.into / name, target / name) if path.exists()]
        demand(found, f"{when}: {name} is gone")
        for path in found:
            demand(path.read_bytes() == torrent.data[begin : begin + length], f"{when}: {path} is not whole")
        begin, both = begin + length, both + len(found) - 1
    for folder in (scene.into, target):
        demand(believed(scene.state, torrent, folder) <= torrent.right(folder), f"{when}: what is saved is not right")
    scene.surroundings.check()
    return both, len(_drafts(target))


def _goes_on(work: Removals, scene: Scene, target: Path, when: str) -> None:
    """Start again, and make sure that all comes to its end.

    Raises:
        UnmetError: it does not.
    """
    old = scene.into / scene.torrent.root
    with work.session(scene) as session:
        session.ask("add", scene.torrent.path, scene.into if old.exists() else target)
        session.until(lambda status: status["state"] == "seeding")
        demand(session.ask("move", target) == "moved", f"{when}: it does not go on")
    _arrived(scene, target)


def _arrived(scene: Scene, target: Path) -> None:
    torrent = scene.torrent
    demand(torrent.right(target) == set(range(torrent.pieces)), "the content is not right after a move")
    demand(not (scene.into / torrent.root).exists(), "something is left where it was")
    demand(not _drafts(target), f"drafts are left: {_drafts(target)}")
    scene.surroundings.check()


def _drafts(target: Path) -> list[str]:
    names = [name for _, _, files in os.walk(target) for name in files]
    return [name for name in names if name.endswith(".bittern-move")]


def _missing() -> str | None:
    if _another(machine.SHM if machine.SHM.is_dir() else Path(tempfile.gettempdir())) is None:
        return "there is one file system only"
    return strace.missing()


ROWS = (
    Row(
        "kill-move-between-disks",
        "kill -9 at the nth open, read, write, fsync, rename, unlink of a move to another file system",
        "every file whole at one of the two places; the next start goes on, and no half copy is left",
        move,
        _missing,
    ),
)
