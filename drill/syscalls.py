"""kill -9 at chosen system calls: in a download, a removal, and while metadata are fetched.

Random moments seldom hit the short ones. Here each call that changes something is where the program dies, the nth of
them in its thread; n is drawn among those that a run without kills makes.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, seed_of
from drill.session import Remote
from drill.strace import Fault, content_paths, killed, most_in_a_thread, state_paths
from tests.faults.rigs import strace
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, make_album
from tests.interop.rigs.process import RigError

_SIZES = (300_000, 10, 2 * MIB - 300_010)
NEVER = "60000"
LATENT = "delay_enter=1"  # a call that is noted and does nothing else

ON_CONTENT = ("openat", "pwrite64", "fdatasync", "mkdirat")
ON_STATE = ("pwrite64", "openat", "unlink", "ftruncate")
ON_REMOVAL = ("unlink", "rmdir", "openat")


def drawn(room: Room, counts: dict[str, int], each: int) -> Iterator[tuple[str, int]]:
    """For each call some of its numbers, the first among them; of all of them a single one when time is short."""
    chosen = [(call, nth) for call, last in counts.items() if last for nth in _numbers(room, last, each)]
    yield from room.rng.sample(chosen, 1) if room.short else chosen


def _numbers(room: Room, last: int, each: int) -> list[int]:
    return sorted({1, *(room.rng.randint(1, last) for _ in range(each))})


class Downloads:
    """Downloads that are killed."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.torrent: Torrent = make_album(room.below("content"), _SIZES)
        self.seed = seed_of(self.torrent, room)
        self._numbers = count()

    def scene(self) -> Scene:
        """A fresh one."""
        return Scene(self.room, self.torrent, str(next(self._numbers)))

    def counts(self, calls: Sequence[str], paths: Callable[[Scene], list[Path]]) -> dict[str, int]:
        """How often a whole download makes each call."""
        scene = self.scene()
        log = scene.home / "strace.txt"
        with scene.get(self.seed, before=Fault(tuple(calls), LATENT, NEVER).before(log, paths(scene))) as job:
            demand(job.ends(DONE_SECONDS) == 0, f"{job.lines[-3:]}")
        return {call: most_in_a_thread(log, call) for call in calls}


def download(room: Room) -> Outcome:
    """Each call on the content, and on the saved state, is the last one of a run."""
    work = Downloads(room)
    kills = again = most = 0
    for calls, paths in ((ON_CONTENT, content_paths), (ON_STATE, state_paths)):
        for call, nth in drawn(room, work.counts(calls, paths), 2):
            scene = work.scene()
            log = scene.home / "strace.txt"
            before = Fault((call,), "signal=SIGKILL", str(nth)).before(log, paths(scene))
            with scene.get(work.seed, before=before) as job:
                code = job.ends(DONE_SECONDS)
            if not killed(log):  # its threads shared the calls otherwise this time
                demand(code == 0, f"{call} {nth}: {job.lines[-3:]}")
                continue
            kills += 1
            scene.believes_no_lie()
            again = scene.complete(work.seed)
            most = max(most, again)
            demand(again < PIECE, f"{call} {nth}: {again} bytes came again")
    demand(kills, "nothing was killed")
    return Outcome(passed=True, figures={"kills": kills, "fetched again, most bytes": most})


class Removals:
    """A torrent of a session that is removed with its data, or moved, again and again."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.torrent: Torrent = make_album(room.below("content"), _SIZES)
        self._kept = room.below("kept")
        self._scene = Scene(room, self.torrent)
        self._scene.complete(seed_of(self.torrent, room))
        for number, path in enumerate(self._changing):
            shutil.copytree(path, self._kept / str(number), symlinks=True)

    def complete(self) -> Scene:
        """A download that is complete: one and the same, each time as it was."""
        for number, path in enumerate(self._changing):
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(self._kept / str(number), path, symlinks=True)
        return self._scene

    @property
    def _changing(self) -> tuple[Path, Path]:
        return self._scene.into, self._scene.state

    def session(self, scene: Scene, before: Sequence[str] = ()) -> Remote:
        """A session with what the download left."""
        return Remote(scene.state, scene.home / "log-session.txt", before)

    def do(self, scene: Scene, words: Sequence[str | Path], before: Sequence[str] = ()) -> str | None:
        """Have it done in a session; the answer, None when it was killed."""
        with self.session(scene, before) as session:
            try:
                session.ask("add", self.torrent.path, scene.into)
                session.until(lambda status: status["state"] not in ("checking", "queued"))
                return str(session.ask(*words))
            except (RigError, OSError):
                return None


def remove(room: Room) -> Outcome:
    """A removal with data is killed; the next start and a second removal leave nothing, and nothing else is touched."""
    work, kills = Removals(room), 0
    scene = work.complete()
    log = scene.home / "strace.txt"
    counting = Fault(ON_REMOVAL, LATENT, NEVER).before(log, [*content_paths(scene), *state_paths(scene)])
    demand(work.do(scene, ["remove"], counting) == "removed", "it was not removed")
    demand(not (scene.into / work.torrent.root).exists(), "something is left")
    counts = {call: most_in_a_thread(log, call) for call in ON_REMOVAL}
    for call, nth in drawn(room, counts, 1):
        scene = work.complete()
        log = scene.home / "strace.txt"
        before = Fault((call,), "signal=SIGKILL", str(nth)).before(log, [*content_paths(scene), *state_paths(scene)])
        work.do(scene, ["remove"], before)
        if not killed(log):
            continue
        kills += 1
        scene.believes_no_lie()
        scene.surroundings.check()
        left = [name for name, _ in work.torrent.files if (scene.into / name).exists()]
        found = work.do(scene, ["status"]) or ""
        half = 0 < len(left) < len(work.torrent.files)
        demand(not half or "missing files" in found, f"{call} {nth}: {left} are left, and nobody misses more: {found}")
        demand(work.do(scene, ["remove"]) == "removed", f"{call} {nth}: it cannot be removed any more")
        root = scene.into / work.torrent.root
        demand(not root.exists(), f"{call} {nth}: this is left: {sorted(map(str, root.rglob('*')))}")
        scene.surroundings.check()
    demand(kills, "nothing was killed")
    return Outcome(passed=True, figures={"kills": kills})


def metadata(room: Room) -> Outcome:
    """A magnet's download is killed at calls on the state while its metadata come and are kept; the next goes on."""
    work, kills = Downloads(room), 0
    link = f"magnet:?xt=urn:btih:{work.torrent.info_hash.hex()}"
    counts = {call: min(last, 40) for call, last in work.counts(ON_STATE, state_paths).items()}
    for call, nth in drawn(room, counts, 2):
        scene = work.scene()
        log = scene.home / "strace.txt"
        before = Fault((call,), "signal=SIGKILL", str(nth)).before(log, state_paths(scene))
        with scene.get(work.seed, source=link, before=before) as job:
            code = job.ends(DONE_SECONDS)
        if not killed(log):
            demand(code == 0, f"{call} {nth}: {job.lines[-3:]}")
            continue
        kills += 1
        scene.believes_no_lie()
        with scene.get(work.seed, source=link) as job:
            demand(job.ends(DONE_SECONDS) == 0, f"{call} {nth}: {job.lines[-3:]}")
        scene.is_whole()
    demand(kills, "nothing was killed")
    return Outcome(passed=True, figures={"kills": kills})


ROWS = (
    Row(
        "kill-at-calls",
        "kill -9 at the nth openat, pwrite64, fdatasync, mkdirat, unlink, ftruncate of a download",
        "no false piece; less than a piece comes again",
        download,
        strace.missing,
    ),
    Row(
        "kill-remove",
        "kill -9 at the nth unlink, rmdir of a removal with data",
        "the next removal leaves nothing; nothing else is touched",
        remove,
        strace.missing,
    ),
    Row(
        "kill-metadata",
        "kill -9 while a magnet's metadata are fetched and kept",
        "the next run begins anew or goes on, and completes",
        metadata,
        strace.missing,
    ),
)
