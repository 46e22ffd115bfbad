"""Too few threads: the system refuses one of those that a download wants, and all after it."""

from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, seed_of
from drill.strace import Fault, injected
from tests.faults.rigs import strace
from tests.faults.rigs.torrent import MIB, make

OTHER = 1
SAYS = "the system lets bittern start no more threads"
MOST = 40
"""More than a download ever starts."""


def refused(room: Room) -> Outcome:
    """The first, then all but the first, and so on until there are enough."""
    torrent = make(room.below("content"), MIB)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    allowed = 0
    while not _completes(scene, seed, allowed):
        demand(allowed < MOST, "it never has enough")
        allowed += 3 if room.short else 1
    demand(allowed, "nothing was refused")
    scene.is_whole()
    claimed = scene.judge()
    return Outcome(passed=True, figures={"threads that are enough": allowed, "pieces": len(claimed)})


def _completes(scene: Scene, seed: int, allowed: int) -> bool:
    """Whether it downloads all with so many threads; else it has to say why, in one line, and end."""
    log = scene.home / f"strace-{allowed}.txt"
    fault = Fault(("clone", "clone3"), "error=EAGAIN", f"{allowed + 1}+")
    with scene.get(seed, before=fault.before(log)) as job:
        code = job.ends(DONE_SECONDS)
        lines = job.messages
    scene.believes_no_lie()
    scene.surroundings.check()
    if code == 0:
        return True
    demand(injected(log), f"with {allowed} threads nothing was refused, and it ended with {code}: {lines}")
    demand(code == OTHER and len(lines) == 1 and SAYS in lines[0], f"{allowed} threads: exit status {code}, {lines}")
    return False


ROWS = (
    Row(
        "no-threads",
        "the system lets it start no thread, or too few (ulimit -u, pids.max)",
        "one line and exit status 1 before anything is begun; where there are just enough it completes",
        refused,
        strace.missing,
    ),
)
