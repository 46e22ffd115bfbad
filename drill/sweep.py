"""The nth failure: one small transfer again and again; each time another system call of it fails.

After each: no crash, no false piece, and the next run completes without fetching what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, seed_of
from drill.strace import Fault, content_paths, injected, most_in_a_thread, state_paths
from tests.faults.rigs.strace import missing
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, make_album

On = Literal["content", "state", "anything"]
_NEVER = "60000"  # times in a thread
_SIZES = (300_000, 10, 2 * MIB - 300_010)
_EXITS = {0, 1, 6, 7, 9}  # of contract.md: complete, other, network, unfinished, disk full


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that fails.

    Attributes:
        name: as strace has it.
        error: as strace has it.
        on: what it is made on.
    """

    name: str
    error: str
    on: On


DISK = (
    *(Call("openat", error, "content") for error in ("EMFILE", "ENOSPC", "EIO", "EACCES")),
    *(Call("pwrite64", error, "content") for error in ("ENOSPC", "EIO", "EDQUOT")),
    Call("mkdirat", "ENOSPC", "content"),
    Call("pread64", "EIO", "content"),
    Call("fdatasync", "EIO", "content"),
    *(Call("openat", error, "state") for error in ("EMFILE", "EIO", "EACCES")),
    *(Call("pwrite64", error, "state") for error in ("ENOSPC", "EIO")),
    Call("pread64", "EIO", "state"),
    Call("fdatasync", "EIO", "state"),
    Call("ftruncate", "ENOSPC", "state"),
    Call("mkdir", "ENOSPC", "state"),
    Call("unlink", "EIO", "state"),
)
SOCKETS = (
    *(Call("recvmsg", error, "anything") for error in ("ECONNRESET", "ENOMEM")),
    *(Call("sendmsg", error, "anything") for error in ("ECONNRESET", "EPIPE", "ENOBUFS")),
    *(Call("connect", error, "anything") for error in ("ENETUNREACH", "EADDRNOTAVAIL")),
    *(Call("socket", error, "anything") for error in ("EMFILE", "ENFILE")),
    Call("setsockopt", "EINVAL", "anything"),
    Call("getsockopt", "ENOBUFS", "anything"),
)


class Sweep:
    """One transfer, with failures."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._torrent: Torrent = make_album(room.below("content"), _SIZES)
        self._seed = seed_of(self._torrent, room)
        self._numbers = count()
        self.attempts = self.injected = self.completed = 0

    def calls(self, calls: Sequence[Call]) -> dict[Call, int]:
        """How often a run without failures makes each call, in the thread that makes it most."""
        found: dict[Call, int] = {}
        for on in dict.fromkeys(call.on for call in calls):
            group, scene = [call for call in calls if call.on == on], self._scene()
            names = tuple(dict.fromkeys(call.name for call in group))
            log = scene.home / "strace.txt"
            with scene.get(self._seed, before=Fault(names, "error=EIO", _NEVER).before(log, _paths(scene, on))) as job:
                demand(job.ends(DONE_SECONDS) == 0, f"it fails without a failure: {job.lines[-3:]}")
            found |= {call: most_in_a_thread(log, call.name) for call in group}
        return found

    def fail(self, call: Call, nth: int) -> None:
        """Let the `nth` of them fail in each thread.

        Raises:
            UnmetError: what came of it was not good enough.
        """
        scene, self.attempts = self._scene(), self.attempts + 1
        which = f"{call.name} {nth} on {call.on}: {call.error}"
        with scene.get(self._seed, before=self._before(call, scene, nth)) as job:
            code = job.ends(DONE_SECONDS)
        self.injected += (hit := injected(scene.home / "strace.txt"))
        text = "\n".join(job.lines)
        demand("Traceback" not in text and "rror in" not in text, f"{which}: {text[-3000:]}")
        demand(code in _EXITS, f"{which}: exit status {code}, {text[-500:]}")
        demand(code == 0 or len(job.messages) == 1, f"{which}: not one line, {job.messages}")
        demand(hit or code == 0, f"{which}: exit status {code} without a failure, {job.messages}")
        self.completed += code == 0
        scene.believes_no_lie()
        again = scene.complete(self._seed)
        demand(again < PIECE, f"{which}: {again} bytes came again")

    def _scene(self) -> Scene:
        return Scene(self._room, self._torrent, f"{next(self._numbers)}")

    def _before(self, call: Call, scene: Scene, nth: int) -> tuple[str, ...]:
        fault = Fault((call.name,), f"error={call.error}", str(nth))
        return fault.before(scene.home / "strace.txt", _paths(scene, call.on))


def _paths(scene: Scene, on: On) -> list[Path]:
    return {"content": content_paths(scene), "state": state_paths(scene), "anything": []}[on]


def sweep(room: Room, calls: tuple[Call, ...]) -> Outcome:
    """Each call fails: the first of its times, and one that is drawn by lot."""
    work = Sweep(room)
    if room.short:
        calls = tuple(room.rng.sample(calls, 2))
    problems = []
    for call, last in work.calls(calls).items():
        drawn = {1, room.rng.randint(1, last)} if last else set()
        for nth in sorted(drawn):
            try:
                work.fail(call, nth)
            except AssertionError as error:
                problems.append(str(error))
                print(f"  {error}", flush=True)
    demand(work.injected, "nothing failed")
    figures = {"runs": work.attempts, "calls that failed": work.injected, "completed all the same": work.completed}
    return Outcome(not problems, figures, "; ".join(problems))


_DEMAND = "no crash, one line, no false piece, what is there is not fetched again"
ROWS = (
    Row("nth-disk-call", "the nth call on a file fails", _DEMAND, lambda room: sweep(room, DISK), missing),
    Row("nth-socket-call", "the nth call on a socket fails", _DEMAND, lambda room: sweep(room, SOCKETS), missing),
)
