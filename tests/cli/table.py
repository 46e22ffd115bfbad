"""A distributed hash table of a few nodes on this machine, for commands under test."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bittern.base.address import Address
from bittern.io.dht import Table
from bittern.io.udp import bind

NODES = 4


@contextmanager
def nodes() -> Iterator[str]:
    """Where to begin: one of the nodes, which run in a thread of their own."""
    ready, port = threading.Event(), list[int]()
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        some = [Table([bind("127.0.0.1", 0)], reply_rate=1e6) for _ in range(NODES)]
        for table in some[1:]:
            table.add_router(Address("127.0.0.1", some[0].ports[False]))
        for table in some[1:]:
            await table.ready(2)
        port.append(some[0].ports[False])
        stops.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        for table in some:
            table.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield f"127.0.0.1:{port[0]}"
    finally:
        ((loop, stop),) = stops
        loop.call_soon_threadsafe(stop.set)
        thread.join()
