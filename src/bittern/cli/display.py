"""The moving display of a transfer on a terminal."""

import sys
import time
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bittern.session import events
from bittern.session.status import State, Status

from .output import counted, format_duration, format_rate, format_size, printable, say
from .reports import Waiting, Warnings, fetching, seeking
from .search import NOWHERE, Finds, Search

_SHARE = len("100.0%")
_SIZE = len("of 1023.9 GiB, ")
_NUMBERS = len("1023.9 KiB/s, 99 peers, 59:59")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of a terminal are given out: what counts is never cut, the bar goes first.

    Attributes:
        name: columns of the name at most.
        bar: columns of the bar; 0 for none.
        numbers: columns of what stands behind it at most.
        brief: whether to leave out there what can be left out.
    """

    name: int
    bar: int
    numbers: int
    brief: bool

    @classmethod
    def of(cls, width: int, name: int) -> Self:
        """That of a terminal of `width` columns, for a name that would take `name`."""
        brief = width < 72
        name = min(32, max(8, width // 4), name)
        bar = min(30, width - name - _SHARE - _NUMBERS - (0 if brief else _SIZE) - 3)
        bar = bar if bar >= 5 else 0
        return cls(name, bar, max(1, width - name - _SHARE - 2 - (bar + 1 if bar else 0)), brief)


class Display:
    """One line with a bar, redrawn a few times a second; messages scroll above it."""

    interval = 0.3

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False)
        # A thread that draws would take the GIL from the transfer.
        self._live = Live(console=self._console, auto_refresh=False)
        self._warnings = Warnings()
        self._waiting = Waiting()
        self._finds = Finds()

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
        if not self._live.is_started:
            self._live.start()
        self._live.update(_line(status, search, self._console.width), refresh=True)

    def say(self, line: str) -> None:
        """See Report."""
        self._console.print(Text(line), soft_wrap=True)

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """See Report."""
        self.close()
        say(line)

    def close(self) -> None:
        """See Report."""
        self._live.stop()


def _line(status: Status, search: Search, width: int) -> Table:
    """The line itself."""
    name = Text(printable(status.name, 100), overflow="ellipsis")
    layout = Layout.of(width, name.cell_len)
    done, total = status.done_bytes, status.total_bytes
    if status.state is State.CHECKING:
        done, total = status.check or (0, 0)
    line = Table.grid(padding=(0, 1))
    line.add_column(max_width=layout.name, no_wrap=True)
    cells: list[Text | ProgressBar] = [name]
    if layout.bar:
        line.add_column(width=layout.bar)
        cells.append(ProgressBar(total or None, done, layout.bar))
    line.add_column(width=_SHARE, no_wrap=True)
    line.add_column(max_width=layout.numbers, no_wrap=True)
    cells.append(Text(f"{done / total:6.1%}" if total else ""))
    cells.append(Text(numbers(status, search, brief=layout.brief), overflow="ellipsis"))
    line.add_row(*cells)
    return line


def numbers(status: Status, search: Search = NOWHERE, *, brief: bool = False) -> str:
    """What stands behind the bar; `brief` leaves out how large it is."""
    peers = _givers(status)
    if status.state is State.CHECKING:
        return "checking"
    if status.state is State.METADATA:
        return fetching(status, search, brief=brief)
    size = f"of {format_size(status.total_bytes)}, " if not brief else ""
    if status.complete and not status.peers and not status.up_rate:
        return f"{size}complete"
    if status.state is State.PAUSED and not status.complete:
        return f"{size}paused"
    if status.complete:
        ratio = status.uploaded / status.total_bytes if status.total_bytes else 0.0
        return f"seeding, {format_rate(status.up_rate)} up, ratio {ratio:.2f}, {peers}"
    if not status.peers and not status.web_seeds:
        return size + seeking(search, brief=True)
    left = f", {format_duration(status.eta_seconds)}" if status.eta_seconds is not None else ""
    return f"{size}{format_rate(status.down_rate)}, {peers}{left}"


def _givers(status: Status) -> str:
    """Who is connected, in few words."""
    peers = counted(status.peers, "peer")
    if not status.web_seeds:
        return peers
    if status.peers:
        return f"{peers} + {status.web_seeds} web"
    return counted(status.web_seeds, "web seed")
