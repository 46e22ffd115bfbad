"""Too few open files: 64 of them for 200 peers and 500 files, and a limit that falls while everything is in use."""

import resource
import socket
import time
from contextlib import ExitStack

from drill.crowd import Crowd
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import PIECE, Torrent, make_album
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.process import wait_until

UNFINISHED = 7
FEW = 64
PEERS = 200
FILES = 500
WAITING = 30
"""Connections that nobody can accept."""
IDLE_SHARE = 0.25
"""Of a core at most while nothing can be accepted."""


def _album(room: Room) -> Torrent:
    return make_album(room.below("content"), [PIECE] * FILES)


def _seed(room: Room, torrent: Torrent, *before: str) -> tuple[Program, int]:
    port = LOOPBACK.free_port()
    words = ["seed", str(torrent.path), str(torrent.folder), "--port", str(port), "--max-peers", str(PEERS + 100)]
    job = room.enter(Program(words, room.below("seed"), before=before))
    job.saw("progress", seconds=DONE_SECONDS)
    return job, port


def seeding(room: Room) -> Outcome:
    """200 leechers ask a seed of 500 files for blocks of any of them."""
    torrent, seconds = _album(room), 5 if room.short else 60
    job, port = _seed(room, torrent, "prlimit", f"--nofile={FEW}", "--")
    used, began, most = job.cpu_seconds(), time.monotonic(), 0
    with Crowd(port, 0, PEERS, [torrent], room.below("crowd")) as crowd:
        demand(wait_until(lambda: crowd.tally().turned_away > PEERS, DONE_SECONDS), "nobody was turned away")
        while time.monotonic() - began < seconds:
            demand(_serves(crowd), "it does not go on")
            most = max(most, job.descriptors())
            time.sleep(0.2)
        tally = crowd.tally()
    share = (job.cpu_seconds() - used) / (time.monotonic() - began)
    demand(tally.wrong == 0, f"{tally.wrong} blocks are wrong")
    demand(tally.most < FEW, "more were connected than there are descriptors")
    demand(not [line for line in job.messages if "open files" in line or "Traceback" in line], f"{job.messages[-3:]}")
    idle = _idle_share(job, short=room.short)
    demand(idle < IDLE_SHARE, f"{idle:.0%} of a core with nothing to do")
    figures = {"blocks served": tally.taken, "connected at most": tally.most, "turned away": tally.turned_away}
    return Outcome(passed=True, figures={**figures, "open files at most": most, "% of a core": round(100 * share)})


def _serves(crowd: Crowd) -> bool:
    before = crowd.tally().taken
    return wait_until(lambda: crowd.tally().taken > before + 100, DONE_SECONDS)


def downloading(room: Room) -> Outcome:
    """200 seeds offer the 500 files to one that may open 64."""
    torrent = _album(room)
    scene, port = Scene(room, torrent), LOOPBACK.free_port()
    before, more = ("prlimit", f"--nofile={FEW}", "--"), ("--max-peers", str(PEERS + 100), "--down-limit", "8M")
    with scene.get(before=before, more=more, port=port) as job:
        used, most = job.cpu_seconds(), 0
        with Crowd(port, PEERS, 0, [torrent], room.below("crowd")) as crowd:
            tally = crowd.tally()
            while not job.events("complete") and job.running.exit_code is None:
                most = max(most, job.descriptors())
                tally, used = crowd.tally(), job.cpu_seconds()
                time.sleep(0.1)
        demand(job.ends(DONE_SECONDS) == 0, f"{job.lines[-3:]}")
    demand(0 < tally.most < FEW, f"{tally.most} were connected")
    demand(tally.turned_away, "nobody was turned away")
    scene.is_whole()
    scene.judge()
    return Outcome(
        passed=True, figures={"connected at most": tally.most, "open files at most": most, "CPU s": round(used, 1)}
    )


def running_out(room: Room) -> Outcome:
    """The limit falls to what is open just now, in the middle of a download, and rises again."""
    torrent = _album(room)
    scene, port = Scene(room, torrent), LOOPBACK.free_port()
    with (
        scene.get(more=("--down-limit", "2M"), port=port) as job,
        ExitStack() as knocking,
        Crowd(port, 10, 0, [torrent], room.below("crowd")) as crowd,
    ):
        demand(wait_until(lambda: crowd.tally().given > 100, DONE_SECONDS), f"{job.lines[-3:]}")
        now = job.descriptors()
        usual = resource.prlimit(job.running.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(job.running.pid, resource.RLIMIT_NOFILE, (now, usual[1]))
        for _ in range(WAITING):
            knocking.enter_context(socket.create_connection(("127.0.0.1", port)))
        before = crowd.tally().given
        demand(wait_until(lambda: crowd.tally().given > before + 64, DONE_SECONDS), "it does not go on")
        demand(job.descriptors() <= now, "the limit did not hold")
        idle = _idle_share(job, short=True)
        resource.prlimit(job.running.pid, resource.RLIMIT_NOFILE, usual)
        demand(wait_until(lambda: job.descriptors() > now + 5, DONE_SECONDS), "nobody is let in again")
        job.running.terminate()
        demand(job.ends(DONE_SECONDS) == UNFINISHED, f"{job.lines[-3:]}")
    claimed = scene.judge()
    return Outcome(passed=True, figures={"allowed": now, "% of a core": round(100 * idle), "pieces": len(claimed)})


def _idle_share(job: Program, *, short: bool) -> float:
    """Of a core, while nothing is to be done."""
    used, began = job.cpu_seconds(), time.monotonic()
    time.sleep(2 if short else 10)
    return (job.cpu_seconds() - used) / (time.monotonic() - began)


ROWS = (
    Row(
        "few-files-seed",
        f"a seed of {FILES} files that may open {FEW}, {PEERS} peers",
        "it serves as many as it can, all the time, and never spins",
        seeding,
    ),
    Row(
        "few-files-get",
        f"a download of {FILES} files that may open {FEW}, {PEERS} peers",
        "it completes",
        downloading,
    ),
    Row(
        "files-run-out",
        "no more open files are allowed all of a sudden, while peers knock",
        "the download goes on, nothing spins, and others are let in when there is room again",
        running_out,
    ),
)
