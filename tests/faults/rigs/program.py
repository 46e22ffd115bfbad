"""The real program as a user starts it, each run with a home of its own unless told otherwise."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from json import loads
from pathlib import Path
from typing import Any, Self

from tests.interop.rigs.process import Running, wait_until

QUIET = ("--no-dht", "--no-lsd", "--no-pex", "--no-nat", "--no-utp", "--encryption", "off")  # rigs speak plainly
BITTERN = (sys.executable, "-m", "bittern")


def home(work: Path) -> dict[str, str]:
    """The environment of a user who lives in `work`."""
    folders = {f"XDG_{name}_HOME": str(work / name.lower()) for name in ("CONFIG", "STATE", "CACHE")}
    return {"HOME": str(work), **folders}


class Program:
    """A `bittern get` or `bittern seed` that runs; JSON lines of stdout and lines of stderr are kept apart.

    Args:
        words: the command and its arguments.
        work: its home, where its log is too.
        before: what goes before the command: programs that restrict it.
        json: whether it prints JSON lines instead of words for people.
        quiet: flags of the network.
        listen: the address that it listens on.
        listen: the address to listen on; "" for all of the machine.
    """

    def __init__(
        self,
        words: Sequence[str],
        work: Path,
        *,
        before: Sequence[str] = (),
        json: bool = True,
        quiet: Sequence[str] = QUIET,
        listen: str = "127.0.0.1",
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        number = len(list(work.glob("log-*.txt")))
        self._log = work / f"log-{number}.txt"
        network = [*(["--listen", listen] if listen else []), *quiet, *(["--json"] if json else [])]
        self.running = Running([*before, *BITTERN, *words, *network], self._log, env=home(work))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.running.stop()

    def ends(self, seconds: float) -> int:
        """Its exit status, within so long."""
        return self.running.wait(seconds)

    @property
    def lines(self) -> list[str]:
        """What it printed so far; both streams, in order, whole lines."""
        return self._log.read_text(errors="replace").rpartition("\n")[0].splitlines()

    def events(self, *names: str) -> list[dict[str, Any]]:
        """JSON events so far."""
        found = [loads(line) for line in self.lines if line.startswith("{")]
        return [event for event in found if event["event"] in names]

    @property
    def messages(self) -> list[str]:
        """Lines for people, on stderr."""
        return [line for line in self.lines if not line.startswith("{")]

    def saw(self, *names: str, seconds: float = 20) -> dict[str, Any]:
        """The first event of these names, waited for."""
        assert wait_until(lambda: bool(self.events(*names)) or self.running.exit_code is not None, seconds, 0.01)
        assert self.events(*names), self.lines
        return self.events(*names)[0]

    def said(self, word: str, seconds: float = 20) -> str:
        """The first line for people that has `word` in it, waited for."""
        assert wait_until(lambda: any(word in line for line in self.messages), seconds), self.lines
        return next(line for line in self.messages if word in line)

    def seeds(self) -> None:
        """Wait until it has checked everything and serves it."""
        self.saw("progress", "failed", "stopped")
        assert self.events("progress")[-1]["state"] in ("paused", "seeding"), self.lines

    def cpu_seconds(self) -> float:
        """What the process has used of a processor so far."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """Open files now."""
        return len(list(Path(f"/proc/{self.running.pid}/fd").iterdir()))

    def sockets(self) -> int:
        """Open sockets of the internet now, those that listen too."""
        inodes = {line.split()[9] for line in Path(f"/proc/{self.running.pid}/net/tcp").read_text().splitlines()[1:]}
        links = []
        for path in Path(f"/proc/{self.running.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                links.append(str(path.readlink()))
        return sum(link.startswith("socket:[") and link[8:-1] in inodes for link in links)

    def threads(self) -> int:
        """Threads now."""
        return len(list(Path(f"/proc/{self.running.pid}/task").iterdir()))

    def memory(self) -> int:
        """Bytes in memory now."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """Bytes in memory, at most so far."""
        return self._status("VmHWM")

    def _status(self, key: str) -> int:
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(key)).split()[1]) << 10


def get(
    source: str | Path,
    into: Path,
    work: Path,
    *,
    peers: Sequence[str] = (),
    more: Sequence[str] = (),
    port: int = 0,
    **how: Any,
) -> Program:
    """`bittern get SOURCE -d INTO`, with the peers given; on any port where none is."""
    named = [word for peer in peers for word in ("--peer", peer)]
    return Program(["get", str(source), "-d", str(into), "--port", str(port), *named, *more], work, **how)


def run(words: Sequence[str], work: Path) -> "subprocess.CompletedProcess[str]":
    """A short command, to its end."""
    env = {**os.environ, **home(work)}
    return subprocess.run([*BITTERN, *words], capture_output=True, text=True, env=env, timeout=60, check=False)
