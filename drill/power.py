"""Power loss: what was not on the disk is gone, in whatever order the system had written the rest.

An ext4 image on a loop device holds the download folder and the saved state. At a random moment the program is killed
and the image copied, before the system writes back what it still has in memory: that copy is what the disk would be
after a loss of power at that moment. It is mounted in the place of the first, and the program begun again.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep

from drill.invariant import believed, saved
from drill.row import Figure, Outcome, Room, Row, demand
from drill.scene import kill, seed_of
from drill.strace import Fault
from tests.faults.rigs import program
from tests.faults.rigs.disks import image, losing_power, missing
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.kills import tied_to_us
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, make
from tests.interop.rigs.process import wait_until

_WAIT = 60
_SIZE = 64 * MIB
_DISK = 160 * MIB


@dataclass(slots=True)
class Losses:
    """What came of them, in pieces.

    Attributes:
        count: losses of power.
        in_memory: right in the files when the power failed, and not on the disk.
        false: believed afterwards, and wrong.
        lost: saved before, and not claimed afterwards.
    """

    count: int = 0
    in_memory: int = 0
    false: int = 0
    lost: int = 0


def loss(room: Room) -> Outcome:
    """A download that loses power again and again, soon after progress was saved; then one whose syncs do nothing."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    found = lose(room, "real", torrent, seed, 2 if room.short else 8)
    demand(found.in_memory, "nothing was lost with the power")
    figures: dict[str, Figure] = {
        "losses of power": found.count,
        "pieces that were only in memory": found.in_memory,
        "false pieces": found.false,
        "saved pieces that were lost": found.lost,
    }
    if not room.short:
        control = lose(room, "control", torrent, seed, 3, Fault(("fdatasync", "fsync"), "retval=0"))
        demand(control.false + control.lost, "without syncing nothing is lost either")
        figures["control without syncs: saved pieces that were lost"] = control.lost
    return Outcome(not found.false and not found.lost, figures)


def lose(room: Room, name: str, torrent: Torrent, seed: int, losses: int, fault: Fault | None = None) -> Losses:
    """One download with so many losses of power, then completed."""
    disk, at, found = room.folder / f"{name}.img", room.below(f"{name}/disk"), Losses()
    image(disk, _DISK)
    kept = alive = 0
    for number in range(losses + 1):
        last = number == losses
        with losing_power(disk, at) as (enter, inside), Proxy(seed, shut=True) as proxy:
            into, state = inside / "downloads", Path(program.home(inside / "home")["XDG_STATE_HOME"]) / "bittern"
            into.mkdir(exist_ok=True)
            right = torrent.right(into)
            found.in_memory += max(0, alive - len(right))
            found.false += len(believed(state, torrent, into) - right)
            faulty = fault.before(room.folder / "strace.txt") if fault is not None and not last else ()
            before, more = (*enter, *faulty, *tied_to_us()), () if last else ("--down-limit", "1M")
            work, target, peers = at / "home", at / "downloads", (proxy.address,)
            with program.get(torrent.path, target, work, peers=peers, more=more, before=before) as job:
                claimed = int(job.saw("checked", seconds=_WAIT)["done_bytes"]) // PIECE
                found.lost += max(0, kept - claimed)
                proxy.open()
                if last:
                    demand(job.ends(_WAIT) == 0, f"{job.lines[-3:]}")
                    demand(fault or torrent.right(into) == set(range(torrent.pieces)), "the content is not right")
                    break
                seen = partial(_saved_more, state, torrent, claimed)
                demand(wait_until(seen, _WAIT, 0.1), "no progress was saved")
                kept = len(saved(state, torrent))
                sleep(room.rng.uniform(0, 2))
                alive = len(torrent.right(into))
                found.count += 1
                kill(job)
    return found


def _saved_more(state: Path, torrent: Torrent, pieces: int) -> bool:
    """Whether more pieces than so many are saved by now."""
    return len(saved(state, torrent)) > pieces


ROWS = (
    Row(
        "power-loss",
        "the power fails: the disk has only what was written to it by then",
        "no false piece, and no piece is lost that was saved",
        loss,
        lambda: missing("unshare", "nsenter", "mount", "mkfs.ext4"),
    ),
)
