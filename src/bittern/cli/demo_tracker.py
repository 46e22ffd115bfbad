"""The smallest HTTP tracker that a swarm on one machine can live on: for `bittern demo`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import parse_qsl

from bittern.base.address import Address, compact
from bittern.codec import bencode

_REQUEST_SECONDS = 10.0
_INTERVAL_SECONDS = 60


class DemoTracker:
    """Remembers who announced each info hash, and tells all of them to everyone."""

    def __init__(self) -> None:
        self.url = ""
        """Where it is asked."""
        self.seed_announced = asyncio.Event()
        """Whether a peer with everything has come."""
        self._swarms: dict[str, dict[Address, None]] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """A tracker on a free port of 127.0.0.1, until the block ends."""
        tracker = cls()
        server = await asyncio.start_server(tracker._serve, "127.0.0.1", 0)
        tracker.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/announce"
        try:
            yield tracker
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                body = bencode.encode(self._answer(head, writer.get_extra_info("peername")[0]))
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            pass
        finally:
            writer.close()

    def _answer(self, head: bytes, host: str) -> dict[str, object]:
        target = head.split(b" ", 2)[1].decode("latin-1")
        asked = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True, encoding="latin-1"))
        if not asked.get("info_hash") or not asked.get("port", "").isdecimal():
            return {"failure reason": "not an announce"}
        swarm = self._swarms.setdefault(asked["info_hash"], {})
        address = Address(host, int(asked["port"]))
        if asked.get("event") == "stopped":
            swarm.pop(address, None)
        else:
            swarm[address] = None
        if asked.get("left") == "0":
            self.seed_announced.set()
        four, _ = compact(other for other in swarm if other != address)
        return {"interval": _INTERVAL_SECONDS, "peers": four}
