"""One worker of a tracker: a process that `workers` starts, and that lives as long as its standard input is open.

The first line there is its order. A line after that says that the lists have changed. When it serves, it says so on
standard output.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.window import Audience

from .lists import Lists
from .service import Team, TrackerService

READY = b"ready\n"
READ_LISTS = b"lists\n"

_log = logging.getLogger("bittern.io")


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told; sockets are descriptors that it inherits."""

    settings: TrackerSettings
    audience: str
    state: str | None
    allow: str | None
    passkeys: str | None
    index: int
    sockets: tuple[int, ...]
    inbox: int
    outboxes: tuple[int, ...]
    key: str
    began: float

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that it inherits."""
        return (*self.sockets, self.inbox, *self.outboxes)

    @property
    def lists(self) -> Lists:
        """Of private mode."""
        return Lists(_path(self.allow), _path(self.passkeys))

    def encode(self) -> bytes:
        """As a line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """What `encode` made."""
        said = json.loads(line)
        proxies = tuple(said["settings"].pop("proxies"))
        said["settings"] = TrackerSettings(**said["settings"], proxies=proxies)
        return cls(**said)

    def team(self, stack: ExitStack) -> Team:
        """The inherited sockets; `stack` closes them."""

        def inherited(descriptor: int) -> socket.socket:
            return stack.enter_context(socket.socket(fileno=descriptor))

        return Team(
            self.index,
            [inherited(each) for each in self.sockets],
            inherited(self.inbox),
            [inherited(each) for each in self.outboxes],
            bytes.fromhex(self.key),
            self.began,
        )


async def work(orders: asyncio.StreamReader, say: Callable[[bytes], object]) -> None:
    """Serve as ordered, until there are no more orders.

    Args:
        orders: the order, and what comes later.
        say: told when it serves.

    Raises:
        OSError: a file of the order cannot be read, or the swarms not be kept at the end.
        ValueError: a list makes no sense.
    """
    order = Order.decode(await orders.readline())
    policy = Policy(per_second=order.settings.per_ip)
    order.lists.read_into(policy)
    with ExitStack() as stack:
        team = order.team(stack)
        async with TrackerService(order.settings, policy, team, _path(order.state), Audience(order.audience)):
            say(READY)
            while await orders.readline() == READ_LISTS:
                try:
                    order.lists.read_into(policy)
                except (OSError, ValueError) as error:  # it was good when it was looked at for all workers
                    _log.warning("%s; the lists stay as they were", error)


async def _main() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await work(orders, lambda line: os.write(1, line))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are for who started it, and who ends it by its standard input
    try:
        asyncio.run(_main())
    except (OSError, ValueError) as error:
        sys.exit(f"bittern: {error}")
