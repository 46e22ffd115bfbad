"""Little memory: a hundred torrents with fifty peers each, where the system kills who takes more than 300 MiB."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drill.crowd import Crowd
from drill.invariant import believed
from drill.many import Host, make_many
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS
from tests.faults.rigs.torrent import MIB
from tests.interop.rigs.process import wait_until

CEILING = 300 * MIB
PEERS = 50
SEEDS = 10
GROUPS = Path("/sys/fs/cgroup/memory")
UNIFIED = Path("/sys/fs/cgroup")
ENOUGH = 0.9
"""Of all these connections: seeds leave when downloads are complete."""
RATE = 8 << 10
"""Bytes a second of each torrent: downloads last until all are there."""
CONNECT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Group:
    """A control group that may take `CEILING`, what is on tmpfs counted."""

    path: Path

    @property
    def most(self) -> int:
        """Bytes that it took at most."""
        names = ("memory.max_usage_in_bytes", "memory.peak")
        return next(int((self.path / name).read_text()) for name in names if (self.path / name).exists())


@contextmanager
def limited() -> Iterator[Group]:
    """A control group of its own, until the block ends; whoever is in it then must have ended."""
    old = GROUPS.is_dir()
    path = (GROUPS if old else UNIFIED) / f"bittern-drill-{os.getpid()}"
    path.mkdir()
    try:
        (path / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(CEILING))
        yield Group(path)
    finally:
        for _ in range(50):
            try:
                path.rmdir()
            except OSError:  # the last of them is still on its way out
                time.sleep(0.1)
            else:
                break


def missing() -> str | None:
    """What keeps this machine from limiting memory, or None."""
    try:
        with limited():
            return None
    except OSError as error:
        return f"no control group for memory can be made ({error})"


def ceiling(room: Room) -> Outcome:
    """Half of the torrents are downloads, half seeds; everybody asks for as much as there is."""
    count = 20 if room.short else 100
    torrents = make_many(room.below("content"), count, MIB)
    wanted = round(count * PEERS * ENOUGH)
    with limited() as group:
        # The shell puts itself into the group before it becomes the program.
        host = Host(room, torrents, down=count * RATE, within=f'echo $$ > "{group.path}/cgroup.procs"')
        with host, Crowd(host.port(), SEEDS, PEERS - SEEDS, torrents, room.below("crowd")) as crowd:
            most, end = 0, time.monotonic() + CONNECT_SECONDS
            while most < wanted and time.monotonic() < end:
                time.sleep(1)
                demand(host.exit_code is None, f"it was killed, with {most} connections")
                most = max(most, crowd.tally().open)
            demand(most >= wanted, f"only {most} were connected")
            before = crowd.tally().taken
            demand(wait_until(lambda: crowd.tally().taken > before, DONE_SECONDS), "nothing is served")
            tally, peak = crowd.tally(), host.peak_memory()
            demand(tally.wrong == 0, f"{tally.wrong} blocks are wrong")
            os.kill(host.pid, signal.SIGKILL)
            host.wait(5)
        taken = group.most
    right = 0
    for torrent in torrents[::2]:
        believes = believed(host.state, torrent, host.into)
        demand(believes <= torrent.right(host.into), f"{torrent.root}: saved as stored, and wrong")
        right += len(believes)
    figures = {"connections": most, "RSS MiB": peak >> 20, "with files on tmpfs MiB": taken >> 20}
    return Outcome(passed=True, figures={**figures, "blocks served": tally.taken, "pieces": right})


ROWS = (
    Row(
        "memory",
        f"{CEILING >> 20} MiB for 100 torrents with {PEERS} peers each; more is death",
        "it lives and serves",
        ceiling,
        missing,
    ),
)
