"""System calls that are made to fail, to wait or to kill while the program runs, and the proof that they were."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drill.scene import Scene

_COMMAND = ("strace", "-f", "-qq")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to system calls.

    Attributes:
        calls: their names, as strace has them.
        what: as strace has it: "error=EIO", "signal=SIGKILL", "delay_enter=100000" (microseconds).
        when: to which of them, in each thread: "3" the third, "3+" all from it on.
    """

    calls: tuple[str, ...]
    what: str
    when: str = "1+"

    def before(self, log: Path, paths: Sequence[Path] = ()) -> tuple[str, ...]:
        """What goes before a command that is to suffer this.

        Args:
            log: where the calls are noted.
            paths: only calls on one of these are meant, where any is given.
        """
        calls = ",".join(self.calls)
        only = [word for path in paths for word in ("-P", str(path))]
        inject = f"inject={calls}:{self.what}:when={self.when}"
        # Only these calls stop then, and the others cost nothing; but no signal comes so (strace 6.1).
        filtered = () if "signal=" in self.what else ("--seccomp-bpf",)
        return (*_COMMAND, *filtered, "-o", str(log), *only, "-e", f"trace={calls}", "-e", inject)


def injected(log: Path) -> int:
    """How many calls were made to fail or to wait."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return text.count("(INJECTED)") + text.count("(DELAYED)")


def killed(log: Path) -> bool:
    """Whether a call was made to kill."""
    return "killed by SIGKILL" in (log.read_text(errors="replace") if log.exists() else "")


def by_thread(log: Path) -> dict[int, Counter[str]]:
    """How often each call was noted, by the number of the thread that made it."""
    found: dict[int, Counter[str]] = {}
    for thread, call in re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE):
        found.setdefault(int(thread), Counter())[call] += 1
    return found


def most_in_a_thread(log: Path, call: str) -> int:
    """How often the call was noted, in the thread that made most of them."""
    return max((calls[call] for calls in by_thread(log).values()), default=0)


def content_paths(scene: Scene) -> list[Path]:
    """The download folder and all that the torrent has in it."""
    found = {scene.into: None}
    for name, _ in scene.torrent.files:
        path = scene.into / name
        found |= dict.fromkeys([folder for folder in path.parents if scene.into in folder.parents])
        found[path] = None
    return list(found)


def state_paths(scene: Scene) -> list[Path]:
    """The folder of saved state and the files in it."""
    state = scene.state
    return [
        state.parent,
        state,
        state / "locks",
        *(state / f"state.sqlite3{end}" for end in ("", "-wal", "-shm", "-journal")),
    ]
