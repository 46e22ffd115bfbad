"""What a system may refuse, or take long for: EACCES, EROFS, EFBIG, EIO and their like, and slow disks."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from bittern.session.store import FILE
from drill.files import blocks_from
from drill.row import Figure, Outcome, Room, Row, demand
from drill.scene import Scene, seed_of
from drill.session import Remote
from drill.strace import Fault, by_thread, injected
from tests.faults.rigs import strace
from tests.faults.rigs.claims import claims
from tests.faults.rigs.disks import missing, small_disk
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import MIB, NAME, PIECE, Torrent, make
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.process import Running

OTHER, DISK_FULL, EXISTS = 1, 9, 13  # of contract.md
_WAIT = 60
_SIZE = 2 * MIB
_SLOW = ("openat", "mkdirat", "ftruncate", "fallocate", "pwrite64", "pwritev", "fdatasync", "fsync", "rename", "unlink")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that the system refuses.

    Attributes:
        status: how `bittern get` ends.
        says: what its one line has, after the file's name.
        before: what goes before the command.
        set_up, undo: what is done to the download folder.
    """

    status: int
    says: str
    before: Callable[[Scene], Sequence[str]] = lambda _: ()
    set_up: Callable[[Path], object] = lambda _: None
    undo: Callable[[Path], object] = lambda _: None


def _humble(_: Scene) -> Sequence[str]:
    """Root may write everywhere unless it gives that up."""
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()


def _failing(call: str, error: str, when: str = "1+") -> Callable[[Scene], Sequence[str]]:
    fault = Fault((call,), f"error={error}", when)
    return lambda scene: fault.before(scene.home / "strace.txt", [scene.into / NAME, scene.into])


REFUSALS = {
    "EACCES": Refusal(OTHER, "permission denied", _humble, lambda p: p.chmod(0o555), lambda p: p.chmod(0o755)),
    "a folder in the file's place": Refusal(
        EXISTS, "not a regular file", set_up=lambda p: (p / NAME).mkdir(), undo=lambda p: (p / NAME).rmdir()
    ),
    "EFBIG": Refusal(OTHER, "larger than the file system allows", lambda _: ("prlimit", f"--fsize={MIB}", "--")),
    "ENAMETOOLONG": Refusal(OTHER, "name too long", _failing("openat", "ENAMETOOLONG")),
    "EDQUOT": Refusal(DISK_FULL, "no space left", _failing("pwrite64", "EDQUOT", "3+")),
    "EIO in write": Refusal(OTHER, "input/output error", _failing("pwrite64", "EIO", "3+")),
}


def refused(room: Room) -> Outcome:
    """One after the other, each cured afterwards."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    chosen = dict(room.rng.sample(sorted(REFUSALS.items()), 2)) if room.short else REFUSALS
    problems = []
    for name, refusal in chosen.items():
        scene = Scene(room, torrent, name)
        refusal.set_up(scene.into)
        try:
            with scene.get(seed, before=refusal.before(scene)) as job:
                code = job.ends(_WAIT)
                lines = job.messages
        finally:
            refusal.undo(scene.into)
        if (log := scene.home / "strace.txt").exists():
            demand(injected(log), f"{name}: nothing was refused")
        if code != refusal.status or len(lines) != 1 or str(scene.into) not in lines[0]:
            problems.append(f"{name}: exit status {code}, {lines}")
        elif refusal.says not in lines[0].lower():
            problems.append(f"{name}: says {lines[0]}")
        scene.believes_no_lie()
        scene.surroundings.check()
        again = scene.complete(seed)
        demand(again < PIECE, f"{name}: {again} bytes came again")
    return Outcome(not problems, {"refusals": len(chosen)}, "; ".join(problems))


def read_only(room: Room) -> Outcome:
    """EROFS: a file system that can be read only."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    target = room.below("disk")
    with small_disk(target, 2 * _SIZE) as (enter, inside):

        def remount(how: str) -> None:
            with Running([*enter, "mount", "-o", f"remount,{how}", str(target)], room.folder / "mount.log") as mount:
                demand(mount.wait(10) == 0, "could not mount anew")

        remount("ro")
        with scene.get(seed, before=enter, into=target) as job:
            demand(job.ends(_WAIT) == OTHER, f"{job.lines[-3:]}")
            [line] = job.messages
        demand("read-only file system" in line and str(target) in line, line)
        remount("rw")
        with scene.get(seed, before=enter, into=target) as job:
            demand(job.ends(_WAIT) == 0, f"{job.lines[-3:]}")
        demand(torrent.right(inside) == set(range(torrent.pieces)), "the content is not right")
    return Outcome(passed=True, remarks=line)


def read_error(room: Room) -> Outcome:
    """EIO on reads of a seed: of one read, then of all."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    figures: dict[str, Figure] = {}
    for name, when in (("one", "3"), ("all", "1+")):
        scene = Scene(room, torrent, name)
        scene.complete(seed)
        log, port = scene.home / "strace.txt", LOOPBACK.free_port()
        fault = Fault(("pread64", "preadv", "preadv2"), "error=EIO", when)
        before = fault.before(log, [scene.into / NAME])
        with scene.get(more=("--seed-time", "5"), port=port, before=before) as job:
            claims(port, torrent)
            found = blocks_from(port, torrent, 0.0 if name == "one" else 2.0)
            sleep(0.5)
            text = "\n".join(job.lines)
        demand(injected(log), f"{name}: nothing failed")
        demand("Traceback" not in text, text[-2000:])
        demand(not found["wrong"], f"{name}: {found}")
        if name == "one":
            demand(found["right"] > torrent.pieces, f"a single bad read keeps it from serving: {found}")
        else:
            demand(not found["right"] and f"{scene.into / NAME}: input/output error" in text, f"{found} {text[-500:]}")
        figures |= {f"{name}: blocks {key}": count for key, count in found.items()}
        scene.judge()
        scene.complete(seed)
    return Outcome(passed=True, figures=figures)


def sync_error(room: Room) -> Outcome:
    """EIO from fdatasync, once, after some progress was saved: what is not known to be on the disk is hashed again."""
    torrent = make(room.below("content"), 4 * _SIZE)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    fault = Fault(("fdatasync", "fsync"), "error=EIO", "2")
    log = scene.home / "strace.txt"
    with scene.get(seed, more=("--down-limit", "1M"), before=fault.before(log, [scene.into / NAME])) as job:
        demand(job.ends(_WAIT) == OTHER, f"{job.lines[-3:]}")
        [line] = job.messages
    demand(injected(log) == 1, "nothing failed")
    demand(f"{scene.into / NAME}: input/output error" in line, line)
    saved = len(scene.right())
    scene.believes_no_lie()
    with Proxy(seed) as proxy, scene.get(proxy.address) as job:
        demand(job.ends(_WAIT) == 0, f"{job.lines[-3:]}")
        hashed = max((event["total_bytes"] for event in job.events("checking")), default=0)
        found = int(job.saw("checked")["done_bytes"])
    scene.is_whole()
    demand(hashed >= saved * PIECE, f"only {hashed} bytes were hashed")
    demand(found == saved * PIECE, f"{found} bytes were found of {saved} pieces")
    return Outcome(passed=True, figures={"hashed again, bytes": hashed, "found right, pieces": saved})


def slow(room: Room) -> Outcome:
    """Each write takes long: the loop makes none, memory stays flat, the download goes at the disk's pace."""
    torrent: Torrent = make(room.below("content"), (4 if room.short else 16) * MIB)
    seed = seed_of(torrent, room)
    figures: dict[str, Figure] = {}
    for name, delay in (("fast", 0), ("slow", 100_000)):
        into, log = room.below(f"{name}/into"), room.folder / f"strace-{name}.txt"
        state = room.below(f"{name}/state")
        paths = [into, into / NAME, *(state / f"{FILE}{end}" for end in ("", "-wal", "-journal"))]
        before = Fault(_SLOW, f"delay_enter={delay}").before(log, paths)
        with Remote(state, room.folder / f"log-{name}.txt", before) as session:
            session.ask("add", torrent.path, into, f"127.0.0.1:{seed}")
            done = session.until(lambda status: status["state"] == "seeding")
            [child] = Path(f"/proc/{session.running.pid}/task/{session.running.pid}/children").read_text().split()
            status = Path(f"/proc/{child}/status").read_text()
            session.quit()
        demand(torrent.right(into) == set(range(torrent.pieces)), "the content is not right")
        figures[f"{name}: lag ms"] = done["lag_ms"]
        figures[f"{name}: peak MiB"] = int(status.partition("VmHWM:")[2].split()[0]) >> 10
        figures[f"{name}: calls delayed"] = injected(log)
        loop, others = int(child), by_thread(log)
        demand(not (found := others.pop(loop, None)), f"the loop waits for the disk itself: {found}")
        demand(others, "nobody touched the disk")
    demand(figures["slow: calls delayed"], "nothing was slow")
    # Beside others on the same processors a loop is late at times: so is the one with the fast disk.
    late = float(figures["slow: lag ms"]) > 100 + 2 * float(figures["fast: lag ms"])
    grown = int(figures["slow: peak MiB"]) > int(figures["fast: peak MiB"]) + 16
    return Outcome(not late and not grown, figures, "the loop waits for the disk" if late else "")


def _lacking() -> str | None:
    programs = [name for name in ("setpriv", "prlimit") if shutil.which(name) is None]
    return f"`{programs[0]}` is not installed" if programs else strace.missing()


ROWS = (
    Row(
        "disk-refuses",
        "EACCES, EFBIG, ENAMETOOLONG, EDQUOT, EIO in writes, a folder in the file's place",
        "one line with the file, and the exit status; once it is cured it goes on",
        refused,
        _lacking,
    ),
    Row(
        "read-only",
        "EROFS: the file system can only be read",
        "one line with the folder; once it can be written it goes on",
        read_only,
        lambda: missing("unshare", "nsenter", "mount"),
    ),
    Row(
        "read-error",
        "EIO from reads while seeding: from one, from all",
        "one is read again and nobody notices; of all the file is named, and nothing wrong is served",
        read_error,
        strace.missing,
    ),
    Row(
        "sync-error",
        "EIO from fdatasync",
        "as lost: all since the last good sync is hashed again, nothing that is right is fetched again",
        sync_error,
        strace.missing,
    ),
    Row(
        "disk-slow",
        "every write takes 0.1 s, of the content and of the saved state",
        "the loop makes none of them, is never 100 ms later than with a fast disk; memory stays flat",
        slow,
        strace.missing,
    ),
)
