"""How runs end, and who keeps whom out: signals while trackers hang, and two programs on one state."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drill.flow import comes
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, kill, seed_of
from tests.faults.rigs import program
from tests.faults.rigs.kills import tied_to_us
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import MIB, Torrent, bencode, make
from tests.faults.rigs.tracker import BadTracker, page, silence
from tests.interop.rigs.process import Running, wait_until

TAKEN, UNFINISHED, INTERRUPTED = 13, 7, 130
END_SECONDS = 10.0
AT_ONCE_SECONDS = 3.0
SLOWLY = ("--down-limit", "512k")
SIZE = 64 * MIB
"""More than comes until the row is over."""
KEEPER = Path(__file__).parent / "drivers" / "keeper.py"


def signals(room: Room) -> Outcome:
    """Trackers hang when they are to hear of the end: one that answered once, one that never did, one of datagrams."""
    longest = quickest = 0.0
    torrent = make(room.below("content"), SIZE)
    seed = seed_of(torrent, room)
    for kind in (signal.SIGTERM,) if room.short else (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        scene = Scene(room, torrent, f"scene-{kind.name}")
        with _told_to_hanging_trackers(scene, seed) as job:
            longest = max(longest, _seconds_to_end(job, kind, UNFINISHED))
        with _told_to_hanging_trackers(scene, seed) as job:
            os.kill(job.running.pid, kind)
            demand(wait_until(lambda job=job: _says_goodbye(job), DONE_SECONDS), "it says nothing")  # type: ignore[misc]
            quickest = max(quickest, _seconds_to_end(job, signal.SIGTERM, INTERRUPTED))
        demand(scene.judge(), "nothing of what came was saved")
    demand(longest < END_SECONDS, f"it took {longest} s to end")
    demand(quickest < AT_ONCE_SECONDS, f"it took {quickest} s to end at the second signal")
    return Outcome(passed=True, figures={"s to the end, at most": longest, "s after a second signal": quickest})


@contextmanager
def _told_to_hanging_trackers(scene: Scene, seed: int) -> Iterator[Program]:
    """A download of which all the trackers have heard, that have hung since."""
    greeting, heard = page(bencode({"interval": 1800, "peers": b""})), list[int]()

    def once(sock: socket.socket) -> None:
        heard.append(1)
        (greeting if len(heard) == 1 else silence)(sock)

    with (
        BadTracker(once) as first,
        BadTracker(silence) as second,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third,
    ):
        third.bind(("127.0.0.1", 0))
        third.settimeout(DONE_SECONDS)
        urls = (first.url, second.url, f"udp://127.0.0.1:{third.getsockname()[1]}/announce")
        plain = scene.torrent
        path = plain.with_trackers(scene.room.below("tracked"), *urls)
        scene.torrent = Torrent(plain.folder, path, plain.data, plain.info_hash, plain.files)
        try:
            with scene.get(seed, more=(*SLOWLY, "--announce-to-all")) as job:
                demand(wait_until(lambda: bool(heard and second.asked), DONE_SECONDS), "no tracker heard of it")
                third.recv(100)
                comes(job, DONE_SECONDS)
                yield job
        finally:
            scene.torrent = plain


def _says_goodbye(job: Program) -> bool:
    return any("stopping" in line for line in job.messages)


def _seconds_to_end(job: Program, kind: signal.Signals, status: int) -> float:
    began = time.monotonic()
    os.kill(job.running.pid, kind)
    demand(job.ends(DONE_SECONDS) == status, f"it did not end as it should: {job.lines[-3:]}")
    return round(time.monotonic() - began, 1)


def two_programs(room: Room) -> Outcome:
    """A second one wants the torrent, then comes again when the first was killed."""
    torrent = make(room.below("content"), SIZE if not room.short else 4 * MIB)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    with scene.get(seed, more=SLOWLY) as job:
        comes(job, DONE_SECONDS)
        words = ["get", str(torrent.path), "-d", str(scene.into), "--port", "0", "--listen", "127.0.0.1"]
        second = program.run([*words, *program.QUIET], scene.home)
        demand(second.returncode == TAKEN, f"exit status {second.returncode}: {second.stderr}")
        demand(second.stderr.count("\n") == 1, second.stderr)
        demand("another bittern is at work on this torrent" in second.stderr, second.stderr)
        comes(job, DONE_SECONDS)
        kill(job)
    claimed = scene.judge()
    if room.short:
        scene.complete(seed)
    return Outcome(passed=True, figures={"pieces": len(claimed)}, remarks=second.stderr.strip())


def two_keepers(room: Room) -> Outcome:
    """Two sessions that keep their torrents in one folder; the first is killed with kill -9."""
    state = room.below("state")
    with _keeper(room, state) as first:
        demand(first.read_line(DONE_SECONDS) == "open", "it does not open")
        with _keeper(room, state) as second:
            refusal = second.read_line(DONE_SECONDS)
            demand(refusal.startswith("refused: "), refusal)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(5)
    with _keeper(room, state) as third:
        demand(third.read_line(DONE_SECONDS) == "open", "the lock of a dead session keeps others out")
        third.end_input()
        demand(third.wait(DONE_SECONDS) == 0, "it does not close")
    return Outcome(passed=True, remarks=refusal)


def _keeper(room: Room, state: Path) -> Running:
    log = room.below("keepers") / f"log-{len(list(room.below('keepers').iterdir()))}.txt"
    return Running([*tied_to_us(), sys.executable, str(KEEPER), str(state)], log, talks=True)


ROWS = (
    Row(
        "signals",
        "SIGTERM, SIGINT or SIGHUP while trackers hang",
        "ends in less than 10 s with all that came saved; at once at a second signal",
        signals,
    ),
    Row(
        "two-programs",
        "a second program on the same torrent and state, then kill -9 of the first",
        "the second refuses in one line, exit status 13; the lock of a dead program is no hindrance",
        two_programs,
    ),
    Row(
        "two-sessions",
        "a second session that keeps its torrents in the same folder, then kill -9 of the first",
        "the second refuses; the lock of a dead session is no hindrance",
        two_keepers,
    ),
)
