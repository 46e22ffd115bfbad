"""`bittern tracker`: tell peers of each other."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeVar

from bittern.cli.arguments import Count, Json
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.loop import interrupts, run
from bittern.cli.output import note, print_json, printable, say, warn
from bittern.io.tracker.service import PORT, Audience, Places, TrackerService
from bittern.tracker.policy import Policy, parse_info_hashes, parse_passkeys
from bittern.tracker.settings import TrackerSettings

T = TypeVar("T")

_DEFAULTS = TrackerSettings()


def tracker(
    *,
    http_port: int = PORT,
    udp_port: int = PORT,
    no_http: bool = False,
    no_udp: bool = False,
    listen: tuple[str, ...] = (),
    interval: Count = _DEFAULTS.interval_seconds,
    state: Path | None = None,
    allow: Path | None = None,
    passkeys: Path | None = None,
    ip_rate: float = _DEFAULTS.per_ip,
    max_peers: Count = _DEFAULTS.max_peers,
    trust_ip: bool = False,
    stats: Literal["nobody", "local", "all"] = "local",
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
        File that keeps the swarms from one run to the next.
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
    stats
        Who may see /stats and /metrics: nobody, local (this machine) or all; local unless given.
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
    settings = TrackerSettings(interval_seconds=interval, max_peers=max_peers, per_ip=ip_rate, trust_ip=trust_ip)
    lists = _Lists(allow, passkeys)
    policy = Policy(per_second=ip_rate)
    lists.read_into(policy)
    places = Places(_addresses(listen), None if no_http else http_port, None if no_udp else udp_port)
    service = TrackerService(settings, policy, places, state, Audience(stats))
    return run(_serve(service, policy, lists, json=json))


class _Lists:
    """The files of private mode."""

    def __init__(self, allow: Path | None, passkeys: Path | None) -> None:
        self._allow = allow
        self._passkeys = passkeys

    def read_into(self, policy: Policy) -> None:
        """Let `policy` be as the files say.

        Raises:
            OSError: a file can not be read.
            UsageError: a line of it makes no sense; the policy is as it was.
        """
        hashes = keys = None
        if self._allow is not None:
            hashes = _read(self._allow, parse_info_hashes)
        if self._passkeys is not None:
            keys = _read(self._passkeys, parse_passkeys)
        policy.allow(hashes, keys)


async def _serve(service: TrackerService, policy: Policy, lists: _Lists, *, json: bool) -> ExitCode:
    with interrupts("bittern: stopping") as stop, _hang_ups(policy, lists):
        async with service:
            if json:
                print_json({"event": "listening", "announce": service.urls}, indent=None)
            else:
                say("Announce to " + "\n         or ".join(service.urls))
            sys.stdout.flush()
            await stop.wait()
    return ExitCode.OK


@contextmanager
def _hang_ups(policy: Policy, lists: _Lists) -> Iterator[None]:
    """Read the lists again at each SIGHUP, where there is one; a bad list changes nothing."""
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def again() -> None:
        try:
            lists.read_into(policy)
        except (OSError, UsageError) as error:
            warn(f"{printable(str(error), 300)}; the lists stay as they were")
        else:
            note("bittern: read the lists again")

    loop.add_signal_handler(number, again)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _addresses(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_address(text)) for text in given)
    except ValueError as error:
        raise UsageError(f"--listen: {error}; write an IP address of this machine") from None
