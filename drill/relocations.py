"""kill -9 at chosen system calls of a move on one file system, and of a renaming: renames, and what is written down."""

from collections.abc import Callable
from pathlib import Path

from drill.row import Outcome, Room, Row, demand
from drill.scene import Scene
from drill.strace import Fault, content_paths, killed, most_in_a_thread, state_paths
from drill.syscalls import LATENT, NEVER, Removals, drawn
from tests.faults.rigs import strace

CALLS = ("rename", "mkdir", "unlink", "fsync", "write", "rmdir", "pwrite64", "fdatasync")


def move(room: Room) -> Outcome:
    """A move is killed at a rename, an unlink, a write to the state; the next start goes on, all files are whole."""
    return _relocated(room, ("move", "moved"), lambda scene: scene.into / "elsewhere", lambda scene: scene.into)


def rename(room: Room) -> Outcome:
    """The same when the root folder gets another name."""
    return _relocated(room, ("rename", "renamed"), lambda scene: scene.into / "another name", lambda _: None)


def _relocated(
    room: Room, words: tuple[str, str], place: Callable[[Scene], Path], old: Callable[[Scene], Path | None]
) -> Outcome:
    """Kill a command of the driver, and have it go on.

    Args:
        room: where.
        words: the command, and what it says when it is done.
        place: the folder that is named with the command.
        old: the folder that the root folder goes from; None where `place` is to be the root folder.
    """
    work, kills, (command, done) = Removals(room), 0, words

    def new(scene: Scene, name: str) -> Path:
        return place(scene) / (name if old(scene) else name.partition("/")[2])

    def paths(scene: Scene) -> list[Path]:
        moved = [new(scene, name) for name, _ in work.torrent.files]
        folders = [place(scene), *(path.parent for path in moved)]
        return [*content_paths(scene), *dict.fromkeys([*folders, *moved]), *state_paths(scene)]

    def is_there(scene: Scene, when: str) -> None:
        begin = 0
        for name, length in work.torrent.files:
            demand(not (scene.into / name).exists(), f"{when}: {name} is left where it was")
            data = new(scene, name).read_bytes()
            demand(data == work.torrent.data[begin : begin + length], f"{when}: {name} is not right")
            begin += length

    scene = work.complete()
    log = scene.home / "strace.txt"
    demand(work.do(scene, [command, place(scene)], Fault(CALLS, LATENT, NEVER).before(log, paths(scene))) == done, "no")
    is_there(scene, "without a kill")
    for call, nth in drawn(room, {call: most_in_a_thread(log, call) for call in CALLS}, 1):
        scene, when = work.complete(), f"{call} {nth}"
        work.do(scene, [command, place(scene)], Fault((call,), "signal=SIGKILL", str(nth)).before(log, paths(scene)))
        if not killed(log):
            continue
        kills += 1
        for name, length in work.torrent.files:
            found = [path for path in (scene.into / name, new(scene, name)) if path.exists()]
            demand(len(found) == 1, f"{when}: {name} is at {found}")
            demand(found[0].stat().st_size == length, f"{when}: {name} is not whole")
        with work.session(scene) as session:
            gone = old(scene) is not None and not (scene.into / work.torrent.root).exists()
            session.ask("add", work.torrent.path, place(scene) if gone else scene.into)
            session.until(lambda status: status["state"] == "seeding")
            demand(session.ask(command, place(scene)) == done, f"{when}: it does not go on")
        is_there(scene, when)
    demand(kills, "nothing was killed")
    return Outcome(passed=True, figures={"kills": kills})


ROWS = (
    Row(
        "kill-move-at-calls",
        "kill -9 at the nth rename, unlink, mkdir, fsync, write of a move",
        "every file whole at one place; the next start goes on",
        move,
        strace.missing,
    ),
    Row(
        "kill-rename-at-calls",
        "the same when the root folder gets another name",
        "every file whole under one name; the next start goes on",
        rename,
        strace.missing,
    ),
)
