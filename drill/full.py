"""Disks that are full: the one of the content, the one of the saved state, and disks that get room again."""

from contextlib import AbstractContextManager
from pathlib import Path

from drill.files import blocks_from
from drill.invariant import believed
from drill.row import Outcome, Room, Row, demand
from drill.scene import Scene, seed_of
from drill.session import Remote
from tests.faults.rigs.disks import fill, missing, small_disk
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import BLOCK, MIB, NAME, PIECE, make
from tests.interop.rigs.process import Running

DISK_FULL = 9  # of contract.md
_WAIT = 60
_SIZE = 2 * MIB
_RETRY = 1.0


def lacking() -> str | None:
    """What keeps this machine from making small disks, or None."""
    return missing("unshare", "nsenter", "mount")


def on_small_disk(path: Path, size: int = MIB) -> AbstractContextManager[tuple[tuple[str, ...], Path]]:
    """A disk of `size` bytes on `path`; see `small_disk`."""
    path.mkdir(parents=True, exist_ok=True)
    return small_disk(path, size)


def _resize(enter: tuple[str, ...], path: Path, size: int, log: Path) -> None:
    with Running([*enter, "mount", "-o", f"remount,size={size}", str(path)], log) as mount:
        demand(mount.wait(10) == 0, "the disk could not be made larger")


def content(room: Room) -> Outcome:
    """`bittern get` onto a disk with half of the room; then there is more."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    target = room.below("mounted/disk")
    with on_small_disk(target) as (enter, inside):
        with scene.get(seed, before=enter, into=target) as job:
            demand(job.ends(_WAIT) == DISK_FULL, f"exit status {job.running.exit_code}, {job.lines[-3:]}")
            warning, line = job.messages
        demand("free some space" in warning, warning)
        demand(f"{target / NAME}: no space left" in line and "free some space" in line, line)
        kept = torrent.right(inside)
        demand(len(kept) > MIB // PIECE // 2, f"only {len(kept)} pieces were kept")
        _resize(enter, target, 2 * _SIZE, room.folder / "grow.log")
        with Proxy(seed) as proxy, scene.get(proxy.address, before=enter, into=target) as job:
            demand(job.ends(_WAIT) == 0, f"{job.lines[-3:]}")
            done = int(job.saw("checked")["done_bytes"])
        demand(torrent.right(inside) == set(range(torrent.pieces)), "the content is not right")
        demand(done <= len(kept) * PIECE, "a piece was claimed that was not there")
        again = proxy.carried - (_SIZE - done)
        demand(again < PIECE, f"{again} bytes came again")
    scene.surroundings.check()
    return Outcome(passed=True, figures={"pieces kept": len(kept), "of them believed": done // PIECE})


def recovers(room: Room) -> Outcome:
    """A session whose disk is full, which gets room while it runs; meanwhile it serves what it has."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    target, state = room.below("disk"), room.below("state")
    with (
        on_small_disk(target) as (enter, inside),
        Remote(state, room.folder / "log-session.txt", enter, retry_seconds=_RETRY) as session,
    ):
        session.ask("add", torrent.path, target, f"127.0.0.1:{seed}")
        full = session.until(lambda status: bool(status["error"]))
        demand("no space left" in full["error"], full["error"])
        demand(full["done_bytes"] <= MIB, f"{full['done_bytes']} bytes are said to be stored")
        kept = len(torrent.right(inside))
        served = blocks_from(session.ask("port"), torrent, 0)
        demand(served["right"] > kept * PIECE // BLOCK // 2, f"of {kept} pieces that are there it serves {served}")
        demand(not served["wrong"], f"it serves {served}")
        _resize(enter, target, 2 * _SIZE, room.folder / "grow.log")
        done = session.until(lambda status: status["state"] == "seeding")
        demand(torrent.right(inside) == set(range(torrent.pieces)), "the content is not right")
        session.quit()
        demand(believed(state, torrent, inside) <= torrent.right(inside), "more was saved than is right")
    figures = {"bytes stored when full": full["done_bytes"], "blocks served then": served["right"]}
    return Outcome(passed=True, figures={**figures, "lag ms": done["lag_ms"]})


def state(room: Room) -> Outcome:
    """The disk of the saved state fills up in the middle; the one of the content does not."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    with on_small_disk(scene.state) as (enter, inside), Proxy(seed, limit=MIB, shut=True) as half:
        with scene.get(half.address, before=enter) as job:
            job.saw("checked", seconds=_WAIT)
            fill(inside / "hog")
            half.open()  # not before: what came by then would be saved already
            demand(half.reached.wait(_WAIT), "nothing came")
            reason = job.saw("save_failed", seconds=_WAIT)["reason"]
            demand("no space left" in reason, reason)
            demand(job.running.exit_code is None, "it ended")
        demand(believed(inside, torrent, scene.into) <= scene.right(), "more was saved than is right")
        (inside / "hog").unlink()
        again = scene.complete(seed, before=enter)
        demand(again < PIECE, f"{again} bytes came again")
    return Outcome(passed=True, figures={"fetched again, bytes": again})


ROWS = (
    Row(
        "disk-full",
        "ENOSPC: the content's disk is full",
        "a warning at the start; exit status 9, one line with the file; with more room it goes on where it was",
        content,
        lacking,
    ),
    Row(
        "disk-full-recovers",
        "ENOSPC under a session, then there is room",
        "it says so, claims nothing false, serves what it has, and goes on alone",
        recovers,
        lacking,
    ),
    Row(
        "state-disk-full",
        "ENOSPC: the disk of the saved state is full, the content's is not",
        "the download goes on and says that nothing is saved; what is stored is found again by hashing",
        state,
        lacking,
    ),
)
