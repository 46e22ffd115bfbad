"""A loop with a turn that settles nothing, waiting that ends when something holds, and UDP sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from bittern.io.turn import Turn
from tests.io.bound import Bound
from tests.leaks import leaves_no_task, leaves_nothing_behind

__all__ = ["leaves_no_task", "leaves_nothing_behind"]

Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
async def turn() -> AsyncIterator[Turn]:
    """A turn that was started on the running loop."""
    one = Turn(asyncio.get_running_loop())
    one.start(lambda _: None, bool)
    yield one
    one.close()


@pytest.fixture
def until() -> Until:
    """Let the loop run until a condition holds; TimeoutError after ten seconds."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of asyncio
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def bound() -> Iterator[Bound]:
    """Sockets that end with the test."""
    made: list[socket.socket] = []

    def make(host: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.append(sock)
        sock.bind((host, 0))
        sock.setblocking(False)
        return sock

    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def on_link() -> str:
    """An address of ours that is of one link, with its interface."""
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        lines = []
    # Flags: neither tentative nor a duplicate.
    rows = [row for row in map(str.split, lines) if row[3] == "20" and not int(row[4], 16) & 0x48]
    if not rows:
        pytest.skip("no address of one link here")
    return f"{IPv6Address(bytes.fromhex(rows[0][0]))}%{rows[0][5]}"
