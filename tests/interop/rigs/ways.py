"""The ways in which two clients can be connected, and bittern sessions that know one of them each."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import RigError, Running

DRIVER = Path(__file__).parents[1] / "drivers" / "bittern_ways.py"
PARTNER = {False: "10.99.1.1", True: "2001:db8::1"}
"""Where partners are, by IPv4 and by IPv6."""


@dataclass(frozen=True, slots=True)
class Way:
    """What carries a connection, whether it is encrypted, and by which family of addresses."""

    utp: bool
    encrypted: bool
    ipv6: bool

    def __str__(self) -> str:
        parts = ("uTP" if self.utp else "TCP", "MSE" if self.encrypted else "plain", "IPv6" if self.ipv6 else "IPv4")
        return ", ".join(parts)

    @property
    def number(self) -> int:
        """Its place among all of them."""
        return WAYS.index(self)

    @property
    def address(self) -> str:
        """Where the session is that goes this way: some clients want one address for each peer."""
        return f"2001:db8::{self.number + 11}" if self.ipv6 else f"10.99.1.{self.number + 11}"

    @property
    def partner(self) -> str:
        """Where the partner is that it goes to."""
        return PARTNER[self.ipv6]


WAYS = tuple(Way(utp, encrypted, ipv6) for utp, encrypted, ipv6 in product((False, True), repeat=3))
TCP_WAYS = tuple(way for way in WAYS if not way.utp)


@contextmanager
def network_of_ways(folder: Path) -> Iterator[Place]:
    """A network namespace with all these addresses, and nothing beyond."""
    addresses = [*PARTNER.values(), *(way.address for way in WAYS)]
    setup = " && ".join(
        f"ip addr add {address}{'/128 nodad' if ':' in address else '/32'} dev lo" for address in addresses
    )
    # Transmission speaks uTP by IPv6 only where it has a way to a global address.
    script = f"ip link set lo up && {setup} && ip -6 route add default dev lo && echo up && exec cat"
    with Running(["unshare", "-n", "sh", "-c", script], folder / "namespace.log", talks=True) as holder:
        if holder.read_line(10) != "up":
            raise holder.failure("could not set up the network namespace")
        yield Place(PARTNER[False], holder.pid)


class Sessions:
    """The sessions of one driver process; who is complete listens.

    Attributes:
        ports: where each listens.
        joined: of each, how its peers are connected, as it says.
        complete: those that are.
    """

    def __init__(self, running: Running, count: int) -> None:
        self.ports: dict[Way, int] = {}
        self.joined: dict[Way, list[tuple[str, bool]]] = {way: [] for way in WAYS}
        self.complete: set[Way] = set()
        self._running = running
        self._count = count

    def wait_complete(self, timeout: float) -> None:
        """Until each of them is, or the time is over."""
        end = time.monotonic() + timeout
        with contextlib.suppress(RigError):
            while len(self.complete) < self._count:
                self._hear(end - time.monotonic())

    def wait_silent(self) -> None:
        """Until they have said what they had to say by now."""
        with contextlib.suppress(RigError):
            while True:
                self._hear(0.2)

    def _hear(self, timeout: float) -> None:
        told = json.loads(self._running.read_line(max(timeout, 0.0)))
        way = next(way for way in WAYS if str(way) == told["way"])
        match told["event"]:
            case "listening":
                self.ports[way] = told["port"]
            case "joined":
                self.joined[way].append((told["transport"], told["encrypted"]))
            case _:
                self.complete.add(way)


@contextmanager
def sessions(place: Place, work: Path, plans: Mapping[Way, Mapping[str, object]]) -> Iterator[Sessions]:
    """A session for each plan, which says `torrent`, `folder` and `peers`: see the driver."""
    work.mkdir(exist_ok=True)
    whole = [
        {
            "way": str(way),
            "utp": way.utp,
            "encryption": "require" if way.encrypted else "off",
            "address": way.address,
            "state": str(work / f"state-{way.number}"),
            **plan,
        }
        for way, plan in plans.items()
    ]
    (work / "plan.json").write_text(json.dumps(whole))
    command = [*place.enter, sys.executable, str(DRIVER), str(work / "plan.json")]
    with Running(command, work / "log.txt", talks=True) as running:
        yield Sessions(running, len(plans))
