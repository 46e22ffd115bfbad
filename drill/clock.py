"""Clocks that jump: an hour back, ten days forth; with libfaketime, which the program is started under.

The clock that only ever goes forth (CLOCK_MONOTONIC) stays as it is, as it does on Linux whatever somebody sets; once
it jumps forth, too, as on systems whose clock counts the time in which a machine sleeps. Back it never jumps.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from drill.flow import comes
from drill.invariant import believed
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, kill
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import MIB, Torrent, bencode, make
from tests.faults.rigs.tracker import BadTracker, page
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.process import wait_until

BACK_SECONDS = 60
SLOWLY = ("--down-limit", "256k")
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
HOUR, DAY = 3600, 86400


def library() -> str | None:
    """Where libfaketime is, if it is."""
    for folder in LIBRARIES:
        for path in sorted(Path(folder).glob("**/faketime/libfaketime.so.1")):
            return str(path)
    return None


def missing() -> str | None:
    """What keeps this machine from faking its clock, or None."""
    return None if library() else "`libfaketime` is not installed (Debian: faketime)"


def jumps(room: Room, seconds: int, *, monotonic: bool, seed_too: bool) -> Outcome:
    """The clock jumps in the middle of a download; then that of the seed."""
    torrent = make(room.below("content"), 64 * MIB)
    stamp, stamp_of_seed = room.folder / "clock", room.folder / "clock-of-seed"
    port = LOOPBACK.free_port()
    words = ["seed", str(torrent.path), str(torrent.folder), "--port", str(port)]
    seed = room.enter(Program(words, room.below("seed"), before=_under(stamp_of_seed, monotonic=monotonic)))
    seed.seeds()
    tracker = room.enter(
        BadTracker(page(bencode({"interval": 1800, "peers": bytes((127, 0, 0, 1)) + port.to_bytes(2)})))
    )
    path = torrent.with_trackers(room.below("tracked"), tracker.url)
    scene = Scene(room, Torrent(torrent.folder, path, torrent.data, torrent.info_hash, torrent.files))
    with scene.get(more=SLOWLY, before=_under(stamp, monotonic=monotonic)) as job:
        comes(job, DONE_SECONDS)
        asked = len(tracker.asked)
        back = _jump(job, job, stamp, seconds)
        back_of_seed = _jump(seed, job, stamp_of_seed, seconds) if seed_too else 0.0
        told = len(tracker.asked) - asked
        demand(told <= 2, f"announces in a row: {tracker.asked}")
        saved = len(believed(scene.state, scene.torrent, scene.into))
        demand(
            wait_until(lambda: len(believed(scene.state, scene.torrent, scene.into)) > saved, DONE_SECONDS),
            "nothing is saved any more",
        )
        kill(job)
    claimed = scene.judge()
    figures = {"bytes again after s": back, "after a jump of the seed's": back_of_seed, "announces": told}
    return Outcome(passed=True, figures={**figures, "pieces": len(claimed)})


def _under(stamp: Path, *, monotonic: bool) -> tuple[str, ...]:
    stamp.write_text("+0\n")
    return (
        "env",
        f"LD_PRELOAD={library()}",
        f"FAKETIME_TIMESTAMP_FILE={stamp}",
        "FAKETIME_CACHE_DURATION=1",
        "NO_FAKE_STAT=1",
        f"FAKETIME_DONT_FAKE_MONOTONIC={int(not monotonic)}",
    )


def _jump(whose: Program, job: Program, stamp: Path, seconds: int) -> float:
    """Let a clock jump, see that it did, and that bytes come all the same; after how many seconds."""
    before = _clock(whose)
    stamp.write_text(f"{seconds:+d}\n")
    demand(wait_until(lambda: abs(_clock(whose) - before - seconds) < HOUR / 2, DONE_SECONDS), "the clock did not jump")
    return comes(job, BACK_SECONDS)


def _clock(job: Program) -> float:
    return float(job.events("progress")[-1]["time"])


def _row(name: str, fault: str, run: Callable[[Room], Outcome]) -> Row:
    return Row(name, fault, "bytes go on, no burst of announces, progress is saved", run, missing, waits=True)


ROWS = (
    _row("clock-back", "the clock jumps an hour back", partial(jumps, seconds=-HOUR, monotonic=False, seed_too=True)),
    _row("clock-forth", "the clock jumps ten days", partial(jumps, seconds=10 * DAY, monotonic=False, seed_too=True)),
    _row(
        "clock-forth-all",
        "all clocks jump ten days, as after a sleep that counts",
        partial(jumps, seconds=10 * DAY, monotonic=True, seed_too=False),
    ),
)
