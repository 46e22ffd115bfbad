"""The moving display of a transfer on a terminal."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from bittern.session import events
from bittern.session.status import State, Status

from .output import format_duration, format_rate, format_size, printable, say
from .reports import Waiting, Warnings, fetching
from .search import NOWHERE, Finds, Search


class Display:
    """One line with a bar, redrawn a few times a second; messages scroll above it."""

    interval = 0.3

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False)
        narrow = self._console.width < 100
        self._name_width = 20 if narrow else 32
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12 if narrow else 30),
            _Share(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self._console,
            auto_refresh=False,  # a thread that draws would take the GIL from the transfer
        )
        self._task = self._progress.add_task("", total=None, numbers="")
        self._warnings = Warnings()
        self._waiting = Waiting()
        self._finds = Finds()
        self._started = False

    def tell(self, event: events.Event) -> None:
        """See Report."""
        self._waiting.note(event)
        for line in self._warnings.lines(event):
            self.say(line)

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        """See Report."""
        for line in (self._finds.line(search.found), self._waiting.line(status, time.monotonic(), search)):
            if line:
                self.say(line)
        done, total = status.done_bytes, status.total_bytes
        if status.state is State.CHECKING:
            done, total = status.check or (0, 0)
        self._progress.update(
            self._task,
            description=printable(status.name, self._name_width),
            completed=done,
            total=total or None,
            numbers=numbers(status, search),
        )
        if not self._started:
            self._started = True
            self._progress.start()
        self._progress.refresh()

    def say(self, line: str) -> None:
        """See Report."""
        self._console.print(Text(line), soft_wrap=True)

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """See Report."""
        self.close()
        say(line)

    def close(self) -> None:
        """See Report."""
        if self._started:
            self._progress.stop()


class _Share(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.percentage:5.1f}%" if task.total else "", justify="right")


def numbers(status: Status, search: Search = NOWHERE) -> str:
    """What stands behind the bar."""
    peers = f"{status.peers} peer{'' if status.peers == 1 else 's'}"
    if status.state is State.CHECKING:
        return "checking"
    if status.state is State.METADATA:
        return fetching(status, search)
    if status.complete and not status.peers and not status.up_rate:
        return f"of {format_size(status.total_bytes)}, complete"
    if status.complete:
        ratio = status.uploaded / status.total_bytes if status.total_bytes else 0.0
        return f"seeding, {format_rate(status.up_rate)} up, ratio {ratio:.2f}, {peers}"
    left = f", {format_duration(status.eta_seconds)}" if status.eta_seconds is not None else ""
    return f"of {format_size(status.total_bytes)}, {format_rate(status.down_rate)}, {peers}{left}"
