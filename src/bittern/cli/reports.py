"""How a transfer is told: nothing, lines, JSON, or a moving display."""

import sys
import time
from typing import Any, Protocol

from bittern.base.errors import Offence
from bittern.session import events
from bittern.session.status import TROUBLED, State, Status

from .output import (
    colour_wanted,
    counted,
    format_duration,
    format_rate,
    format_size,
    note,
    print_json,
    printable,
    say,
    warn,
)
from .search import NOWHERE, Finds, Search

KINDS: tuple[type[events.Event], ...] = (
    events.StateChanged,
    events.MetadataReceived,
    events.CheckProgress,
    events.Checked,
    events.PieceFailed,
    events.Completed,
    events.TrackerAnswered,
    events.TrackerFailed,
    events.WebSeedFailed,
    events.TorrentFileFailed,
    events.AddressesBlocked,
    events.Failed,
    events.SaveFailed,
)
"""The events that reports are told, beside those of peers (`PeerDropped`), which come by the thousand."""

_MOST_PIECES = 10
"""Pieces likewise that came corrupt: a server with other files sends many before the first is looked at."""
_MOST_PEERS = 20
"""Peers that broke the protocol and are named to people; the rest would only hide what matters."""


class Report(Protocol):
    """Tells how a transfer goes."""

    interval: float
    """Seconds between calls of `show`."""

    def tell(self, event: events.Event) -> None:
        """Something happened."""
        ...

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        """How it stands, and how peers are looked for."""
        ...

    def say(self, line: str) -> None:
        """A message beside it."""
        ...

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """What came of it: an event with fields for programs, a line for people."""
        ...

    def close(self) -> None:
        """It is over."""
        ...


class Warnings:
    """The messages that users need whatever the display, each once until it changes."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._peers: dict[str, None] = {}
        self._bad_pieces = 0

    def lines(self, event: events.Event) -> list[str]:
        """What to say about `event`."""
        match event:
            case events.TrackerFailed(url=url, reason=reason, retry_seconds=seconds):
                again = f"; asking again in {format_duration(seconds)}" if seconds < 1e6 else ""
                return self._once(url, f"tracker {printable(url, 120)}: {printable(reason, 300)}", again)
            case events.WebSeedFailed(url=url, reason=reason, retry_seconds=seconds):
                again = f"; asking again in {format_duration(seconds)}" if 0 < seconds < 1e6 else ""
                return self._once(url, f"web seed {printable(url, 120)}: {printable(reason, 300)}", again)
            case events.TorrentFileFailed(url=url, reason=reason, retry_seconds=seconds):
                again = f"; asking again in {format_duration(seconds)}" if seconds < 1e6 else ""
                return self._once(url, f"torrent file {printable(url, 120)}: {printable(reason, 300)}", again)
            case events.TrackerAnswered(url=url, warning=str(warning)):
                return self._once(url, f"tracker {printable(url, 120)} says: {printable(warning, 300)}")
            case events.TrackerAnswered(url=url):
                self._said.pop(url, None)
            case events.PieceFailed(piece=piece):
                return self._corrupt(piece)
            case events.PeerDropped(address=address, reason=reason, offence=True):
                return self._offence(address.host, f"peer {address} {printable(reason, 200)}: dropped")
            case events.SaveFailed(reason=reason):
                return self._once("save", f"progress could not be saved: {printable(reason, 300)}")
        return []

    def _offence(self, host: str, line: str) -> list[str]:
        if Offence.SELF_CONNECTION.value in line or (host not in self._peers and len(self._peers) >= _MOST_PEERS):
            return []
        self._peers[host] = None
        return self._once(f"peer {host}", line)

    def _corrupt(self, piece: int) -> list[str]:
        self._bad_pieces += 1
        if self._bad_pieces > _MOST_PIECES:
            return self._once("pieces", "more pieces came corrupt and are fetched again")
        return [f"piece {piece} came corrupt and is fetched again"]

    def _once(self, about: str, line: str, more: str = "") -> list[str]:
        if self._said.get(about) == line:
            return []
        self._said[about] = line
        return [line + more]


class Waiting:
    """Notices when there is nobody to download from.

    Args:
        patience: seconds before the first line.
    """

    def __init__(self, patience: float = 5.0) -> None:
        self._patience = patience
        self._since: float | None = None
        self._next = patience
        self._last = ""

    def note(self, event: events.Event) -> None:
        """Remember why the last one left."""
        if isinstance(event, events.PeerDropped):
            self._last = f"; the last, {event.address}: {printable(event.reason, 200)}"

    def line(self, status: Status, now: float, search: Search = NOWHERE) -> str | None:
        """What to say now, or None."""
        if status.peers or status.web_seeds or status.state not in (State.DOWNLOADING, State.METADATA):
            self._since, self._next = None, self._patience
            return None
        if self._since is None:
            self._since = now
        if now - self._since < self._next:
            return None
        count, advice = status.known_peers, self._next > self._patience
        self._next *= 3
        known = f"; {count} address{'' if count == 1 else 'es'} known" if count else ""
        line = f"no peers, for {format_duration(now - self._since)}{known}{self._last}; still {seeking(search)}"
        return f"{line} ({search.advice(count)})" if advice else line


class Quiet:
    """Says nothing but what needs the user."""

    interval = 0.5

    def __init__(self) -> None:
        self._warnings = Warnings()

    def tell(self, event: events.Event) -> None:
        """See Report."""
        if isinstance(event, events.SaveFailed):
            self.say(self._warnings.lines(event)[0])

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        """See Report."""

    def say(self, line: str) -> None:
        """See Report."""
        warn(line)

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """See Report."""

    def close(self) -> None:
        """See Report."""


class Lines:
    """Plain lines on stderr, a few a minute: for logs and pipes.

    Args:
        seconds_between: lines about progress.
    """

    interval = 0.5

    def __init__(self, seconds_between: float = 10.0) -> None:
        self._between = seconds_between
        self._next = time.monotonic() + 2.0
        self._warnings = Warnings()
        self._waiting = Waiting()
        self._finds = Finds()
        self._complete = False
        self._asking = False  # whether it was said whom is asked for metadata: `Waiting` goes on with that

    def tell(self, event: events.Event) -> None:
        """See Report."""
        self._waiting.note(event)
        if isinstance(event, events.MetadataReceived):
            self.say(f"metadata is here: {printable(event.name)}, {format_size(event.total_bytes)}")
        for line in self._warnings.lines(event):
            self.say(line)

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        """See Report."""
        now = time.monotonic()
        for line in (self._finds.line(search.found), self._waiting.line(status, now, search)):
            if line:
                self.say(line)
        if status.complete and not self._complete:  # who waits for that will say so
            self._complete, self._next = True, now + 2.0
        alone = not status.peers and not status.web_seeds
        quiet = status.state is State.DOWNLOADING or (status.state is State.METADATA and self._asking)
        if now < self._next or (alone and quiet):
            return
        self._next, self._asking = now + self._between, status.state is State.METADATA
        self.say(summary(status, search))

    def say(self, line: str) -> None:
        """See Report."""
        note(f"bittern: {line}")

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """See Report."""
        say(line)

    def close(self) -> None:
        """See Report."""


class Json:
    """One event a line on stdout: `{"event": NAME, "time": SECONDS_SINCE_1970, ...}`."""

    interval = 1.0

    def tell(self, event: events.Event) -> None:
        """See Report."""
        found = document(event)
        if found is not None:
            self._print(*found)

    def show(self, status: Status, search: Search = NOWHERE) -> None:
        """See Report."""
        if status.state not in (State.CHECKING, *TROUBLED):
            fields = progress_fields(status)
            more = {
                "known_peers": status.known_peers,
                "blocked": status.blocked,
                "found_by": dict(search.found),
                "metadata_blocks": status.metadata,
            }
            self._print("progress", fields | more)

    def say(self, line: str) -> None:
        """See Report."""
        note(f"bittern: {line}")

    def result(self, name: str, fields: dict[str, Any], line: str) -> None:
        """See Report."""
        self._print(name, fields)

    def _print(self, name: str, fields: dict[str, Any]) -> None:
        print_json({"event": name, "time": round(time.time(), 3), **fields}, indent=None)

    def close(self) -> None:
        """See Report."""


def progress_fields(status: Status) -> dict[str, Any]:
    """What a `progress` event says."""
    return {
        "state": status.state.value,
        "done_bytes": status.done_bytes,
        "total_bytes": status.total_bytes,
        "down_rate": round(status.down_rate),
        "up_rate": round(status.up_rate),
        "peers": status.peers,
        "seeds": status.seeds,
        "utp_peers": status.utp_peers,
        "encrypted_peers": status.encrypted_peers,
        "uploaded": status.uploaded,
        "downloaded": status.downloaded,
        "eta_seconds": None if status.eta_seconds is None else round(status.eta_seconds),
    }


def document(event: events.Event) -> tuple[str, dict[str, Any]] | None:
    """The name and the fields of an event for JSON; None for one that is not reported."""
    match event:
        case events.StateChanged(state=state):
            return "state", {"state": state.value}
        case events.MetadataReceived(name=name, total_bytes=total):
            return "metadata", {"name": name, "total_bytes": total}
        case events.CheckProgress(done_bytes=done, total_bytes=total):
            return "checking", {"done_bytes": done, "total_bytes": total}
        case events.Checked(done_bytes=done, total_bytes=total):
            return "checked", {"done_bytes": done, "total_bytes": total}
        case events.PieceFailed(piece=piece):
            return "piece_failed", {"piece": piece}
        case events.PeerDropped(address=address, reason=reason, offence=offence):
            return "peer_dropped", {"address": str(address), "reason": reason, "offence": offence}
        case events.TrackerAnswered(url=url, peers=peers, warning=warning):
            return "tracker", {"url": url, "peers": peers, "warning": warning}
        case events.TrackerFailed(url=url, reason=reason, retry_seconds=seconds):
            return "tracker_error", {"url": url, "reason": reason, "retry_seconds": round(min(seconds, 1e9))}
        case events.WebSeedFailed(url=url, reason=reason, retry_seconds=seconds):
            return "web_seed_error", {"url": url, "reason": reason, "retry_seconds": round(min(seconds, 1e9))}
        case events.AddressesBlocked(count=count):
            return "blocked", {"count": count}
        case events.TorrentFileFailed(url=url, reason=reason, retry_seconds=seconds):
            return "torrent_file_error", {"url": url, "reason": reason, "retry_seconds": round(min(seconds, 1e9))}
        case events.Failed(error=error):
            return "failed", {"reason": str(error)}
        case events.SaveFailed(reason=reason):
            return "save_failed", {"reason": reason}
    return None


def seeking(search: Search, *, brief: bool = False) -> str:
    """What is done about it that nobody is there."""
    if not search.asked:
        return "waiting for peers"
    return "looking for peers" if brief else f"asking {search.words}"


def fetching(status: Status, search: Search = NOWHERE, *, brief: bool = False) -> str:
    """How the metadata of a link comes."""
    if not status.peers:
        return seeking(search, brief=brief)
    have, total = status.metadata or (0, 0)
    part = f" {have}/{total}" if total else ""
    return f"metadata{part}, {counted(status.peers, 'peer')}"


def _ways(status: Status) -> str:
    """How peers are connected, where it is not over TCP and plainly."""
    counts = (("uTP", status.utp_peers), ("encrypted", status.encrypted_peers))
    told = ", ".join(f"{count} {word}" for word, count in counts if count)
    return f" ({told})" if told else ""


def summary(status: Status, search: Search = NOWHERE) -> str:
    """How a transfer stands, in one line."""
    name = printable(status.name, 60)
    if status.state is State.CHECKING:
        done, total = status.check or (0, 0)
        part = f" {done / total:.0%} of {format_size(total)}" if total else ""
        return f"{name}: checking{part}"
    if status.state is State.METADATA:
        return f"{name}: {fetching(status, search)}"
    parts = []
    if status.complete:
        ratio = status.uploaded / status.total_bytes if status.total_bytes else 0.0
        parts += [f"seeding, ratio {ratio:.2f}", f"{format_rate(status.up_rate)} up"]
    else:
        share = status.done_bytes / status.total_bytes if status.total_bytes else 0.0
        parts += [f"{share:.1%} of {format_size(status.total_bytes)}", f"{format_rate(status.down_rate)} down"]
    parts.append(f"{counted(status.peers, 'peer')}{_ways(status)}")
    if status.web_seeds:
        parts.append(counted(status.web_seeds, "web seed"))
    if status.eta_seconds is not None and not status.complete:
        parts.append(f"{format_duration(status.eta_seconds)} left")
    return f"{name}: {', '.join(parts)}"


def report_for(*, json: bool, quiet: bool) -> Report:
    """The report that suits the flags and where stderr goes."""
    if json:
        return Json()
    if quiet:
        return Quiet()
    if colour_wanted(sys.stderr):
        from .display import Display

        return Display()
    return Lines()
