"""What is told of the IP filter: how much it holds, and whom it kept out."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bittern.base.errors import BitternError
from bittern.io.tasks import Tasks
from bittern.session.session import Session
from bittern.session.status import IpFilterStatus

from .failures import failure
from .output import counted, printable
from .reports import Report

_WORDS = {
    "candidates": ("address that was named", "addresses that were named"),
    "incoming": ("connection to us", "connections to us"),
    "peers": ("peer that was connected", "peers that were connected"),
    "trackers": ("question to a tracker", "questions to trackers"),
    "web_seeds": ("connection to a web seed", "connections to web seeds"),
    "nodes": ("datagram of the DHT", "datagrams of the DHT"),
    "clients": ("client by its name", "clients by their names"),
}


@asynccontextmanager
async def told_at_the_end(session: Session, report: Report) -> AsyncIterator[None]:
    """Say what the filter of a session holds, if it has one, and at the end whom it kept out, if it did.

    Meanwhile SIGHUP has it read again, where there is such a signal.
    """
    filtered, tasks, loop = bool(session.settings.ip_filter), Tasks(), asyncio.get_running_loop()
    if filtered:
        _say_all(loaded(session.ip_filter), report)
    if filtered and hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.start(_reload(session, report), "bittern IP filter"))
    try:
        yield
    finally:
        if filtered and hasattr(signal, "SIGHUP"):
            loop.remove_signal_handler(signal.SIGHUP)
        await tasks.close()
        _say_all([blocked(session.ip_filter)], report)


async def _reload(session: Session, report: Report) -> None:
    try:
        _say_all(loaded(await session.reload_ip_filter()), report)
    except (BitternError, OSError) as error:
        report.say(f"{failure(error).line.removeprefix('bittern: ')}; what was loaded before holds")


def _say_all(lines: list[str], report: Report) -> None:
    for line in lines:
        if line:
            report.say(line)


def loaded(status: IpFilterStatus) -> list[str]:
    """What a filter holds, in lines for people."""
    lines = [f"IP filter: {counted(status.ranges, 'range')} of addresses blocked"]
    first = printable(status.first_bad_line, 200)
    if status.bad_lines == 1:
        lines.append(f"IP filter: a line makes no sense and is left out: {first}")
    elif status.bad_lines:
        lines.append(f"IP filter: {status.bad_lines:,} lines make no sense and are left out, the first: {first}")
    return lines


def blocked(status: IpFilterStatus) -> str:
    """Whom a filter kept out, in a line for people; empty when nobody."""
    parts = [f"{count:,} {_WORDS[what][count != 1]}" for what, count in status.blocked.items()]
    return f"blocked: {', '.join(parts)}" if parts else ""
