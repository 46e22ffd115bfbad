"""`bittern tracker`: tell peers of each other."""

import asyncio
import errno
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bittern.cli.arguments import Addresses, Count, Json
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.loop import interrupts, run
from bittern.cli.output import note, print_json, printable, say, warn
from bittern.io.tracker.listening import PORT, Places
from bittern.io.tracker.lists import Lists
from bittern.io.tracker.service import TrackerService
from bittern.io.tracker.workers import MAX_WORKERS, TrackerWorkers
from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.window import Audience

_DEFAULTS = TrackerSettings()


def tracker(
    *,
    http_port: Annotated[int, Parameter(metavar="PORT")] = PORT,
    udp_port: Annotated[int, Parameter(metavar="PORT")] = PORT,
    no_http: bool = False,
    no_udp: bool = False,
    listen: Addresses = (),
    interval: Annotated[Count, Parameter(metavar="SECONDS")] = _DEFAULTS.interval_seconds,
    state: Path | None = None,
    allow: Path | None = None,
    passkeys: Path | None = None,
    ip_rate: Annotated[float, Parameter(metavar="N")] = _DEFAULTS.per_ip,
    max_peers: Count = _DEFAULTS.max_peers,
    trust_ip: bool = False,
    trust_proxy: Addresses = (),
    stats: Literal["nobody", "local", "all"] = "local",
    workers: Count = 1,
    json: Json = False,
) -> ExitCode:
    """Serve announces and scrapes over HTTP and UDP, IPv4 and IPv6, until stopped.

    Parameters
    ----------
    http_port
        TCP port, 6969 unless given; 0 draws a free one.
    udp_port
        UDP port, 6969 unless given; 0 draws a free one.
    no_http
        No HTTP.
    no_udp
        No UDP.
    listen
        IP address to listen on, every one of the machine unless given; may be repeated.
    interval
        Seconds between the announces of a client, 1800 unless given.
    state
        File that keeps the swarms from one run to the next; none unless given.
    allow
        File of the info hashes to serve, one a line; all unless given. Read again on SIGHUP.
    passkeys
        File of passkeys, one a line: announce URLs are then /PASSKEY/announce. Read again on SIGHUP.
    ip_rate
        Requests of an IP address a second, in the mean of ten seconds, 50 unless given; 0 for no limit.
    max_peers
        Peers to remember at most, 4000000 unless given.
    trust_ip
        Believe the address that a client claims (`ip=`) instead of the one it comes from.
    trust_proxy
        IP address of a reverse proxy: HTTP clients are where its X-Forwarded-For says; may be repeated.
    stats
        Who may see /stats and /metrics: nobody, local (this machine) or all; local unless given.
    workers
        Processes that share the ports and the swarms, one unless given; about one for each core. Linux only.
    json
        Print one JSON document when it listens.
    """
    for flag, port in (("--http-port", http_port), ("--udp-port", udp_port)):
        if not 0 <= port <= 65535:
            raise UsageError(f"{flag} {port}: write a number from 0 to 65535")
    if no_http and no_udp:
        raise UsageError("--no-http --no-udp: leave one of them out")
    if ip_rate < 0:
        raise UsageError(f"--ip-rate {ip_rate:g}: write a number that is not negative")
    if workers > MAX_WORKERS:
        raise UsageError(f"--workers {workers}: write a number from 1 to {MAX_WORKERS}")
    if workers > 1 and sys.platform != "linux":
        raise UsageError("--workers: only Linux can share a port out among processes; leave it out")
    if state is not None and not state.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(state.parent))
    settings = TrackerSettings(
        interval_seconds=interval,
        max_peers=max_peers,
        per_ip=ip_rate,
        trust_ip=trust_ip,
        proxies=_addresses("--trust-proxy", trust_proxy),
    )
    lists, policy = Lists(allow, passkeys), Policy(per_second=ip_rate)
    _read(lists, policy)
    places = Places(_addresses("--listen", listen), None if no_http else http_port, None if no_udp else udp_port)
    if workers == 1:
        alone = TrackerService(settings, policy, places, state, Audience(stats))
        return run(_serve(alone, lambda: lists.read_into(policy), json=json))
    team = TrackerWorkers(settings, lists, places, workers, state, Audience(stats))
    return run(_serve(team, team.read_lists, json=json))


async def _serve(service: TrackerService | TrackerWorkers, read_lists: Callable[[], None], *, json: bool) -> ExitCode:
    with interrupts("bittern: stopping") as stop, _hang_ups(read_lists):
        async with service:
            if json:
                print_json({"event": "listening", "announce": service.urls}, indent=None)
            else:
                say("Announce to " + "\n         or ".join(service.urls))
            sys.stdout.flush()
            await service.serve_until(stop)
    return ExitCode.OK


@contextmanager
def _hang_ups(read_lists: Callable[[], None]) -> Iterator[None]:
    """Read the lists again at each SIGHUP, where there is one; a bad list changes nothing."""
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def again() -> None:
        try:
            read_lists()
        except (OSError, ValueError) as error:
            warn(f"{printable(str(error), 300)}; the lists stay as they were")
        else:
            note("bittern: read the lists again")

    loop.add_signal_handler(number, again)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


def _read(lists: Lists, policy: Policy) -> None:
    try:
        lists.read_into(policy)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _addresses(flag: str, given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_address(text)) for text in given)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}; write an IP address") from None
