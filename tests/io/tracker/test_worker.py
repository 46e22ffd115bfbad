import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from bittern.io.tracker.listening import Places, announce_urls, bound
from bittern.io.tracker.lists import Lists
from bittern.io.tracker.post import inboxes
from bittern.io.tracker.worker import READ_LISTS, READY, Order, work
from bittern.tracker.settings import TrackerSettings
from tests.tracker.asking import HASH, query

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")


ORDER = Order(
    settings=TrackerSettings(interval_seconds=600, trust_ip=True, proxies=("::1",)),
    audience="all",
    state=None,
    allow=None,
    passkeys=None,
    index=0,
    sockets=(3,),
    inbox=4,
    outboxes=(5, 6),
    key="00" * 32,
    began=1.5,
)


class Worker:
    """A worker in this process, with no others."""

    def __init__(self, order: Order, url: str) -> None:
        self.orders = asyncio.StreamReader()
        self.orders.feed_data(order.encode())
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.life = asyncio.ensure_future(work(self.orders, self.said.put_nowait))
        self.url = url

    async def ask(self) -> bytes:
        def fetch() -> bytes:
            with urlopen(f"{self.url}?{query()}", timeout=10) as answer:
                body: bytes = answer.read()
            return body

        return await asyncio.to_thread(fetch)

    async def end(self) -> None:
        self.orders.feed_eof()
        await asyncio.wait_for(self.life, 10)


@asynccontextmanager
async def working(order: Order) -> AsyncIterator[Worker]:
    """A worker that serves; the descriptors in `order` do not matter."""
    with ExitStack() as stack:
        sockets = stack.enter_context(bound(Places(("127.0.0.1",), 0, None)))[0]
        ours, theirs = inboxes(1)
        for sock in (*ours, *theirs):
            stack.enter_context(sock)
        order = replace(
            order,
            sockets=tuple(os.dup(sock.fileno()) for sock in sockets),
            inbox=os.dup(ours[0].fileno()),
            outboxes=tuple(os.dup(sock.fileno()) for sock in theirs),
        )
        worker = Worker(order, announce_urls(sockets)[0])
        assert await asyncio.wait_for(worker.said.get(), 10) == READY
        yield worker


def test_orders_are_lines() -> None:
    order = replace(ORDER, state="/s \n", allow="/a")
    line = order.encode()
    assert line.count(b"\n") == 1
    assert Order.decode(line).encode() == line
    assert Order.decode(line).settings == order.settings
    assert order.lists == Lists(Path("/a"), None)
    assert order.descriptors == (3, 4, 5, 6)


async def test_it_serves_until_its_orders_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with working(replace(ORDER, state=str(state))) as worker:
        assert b"8:intervali600e" in await worker.ask()
        await worker.end()
    assert state.stat().st_size > 100


async def test_it_reads_its_lists_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    allow = tmp_path / "allow"
    allow.write_text(HASH.hex())
    async with working(replace(ORDER, allow=str(allow))) as worker:
        assert b"interval" in await worker.ask()
        for text in ("# nothing", "nonsense"):
            allow.write_text(text)
            worker.orders.feed_data(READ_LISTS)
            assert b"not registered" in await worker.ask()
        assert "the lists stay as they were" in caplog.text
        await worker.end()
