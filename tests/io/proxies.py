"""Proxies in this process: one that works, of each kind, and one that says what it was told to say."""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias

from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


@dataclass
class Proxy:
    """A proxy for tests.

    Attributes:
        kind: what it speaks.
        user: it lets in nobody else; None for everybody.
        password: likewise.
        names: the ports on 127.0.0.1 that names stand for.
        udp: whether it takes datagrams.
        asked: what it was asked for.
        server: how to name it.
        controls: connections that places for datagrams go with.
        clients: whose places they are.
        said: all that went out through it.
        host: where it is.
    """

    kind: ProxyKind = ProxyKind.SOCKS5
    user: str | None = None
    password: str = ""
    names: dict[str, str] = field(default_factory=dict)
    udp: bool = True
    asked: list[Endpoint] = field(default_factory=list)
    server: ProxyServer = field(init=False)
    controls: list[Writer] = field(default_factory=list)
    clients: list[tuple[str, int]] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    host: str = "127.0.0.1"

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection to it."""
        ways = {ProxyKind.SOCKS5: self._socks5, ProxyKind.SOCKS4A: self._socks4a, ProxyKind.HTTP: self._http}
        target = await ways[self.kind](reader, writer)
        if target is not None:
            await self._pass_on(reader, writer, target)

    async def _socks5(self, reader: Reader, writer: Writer) -> Endpoint | None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 0 if self.user is None else 2
        if method not in methods:
            writer.write(b"\5\xff")
            return None
        writer.write(bytes((5, method)))
        if method:
            _, length = await reader.readexactly(2)
            name = (await reader.readexactly(length)).decode()
            password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            writer.write(b"\1\0" if (name, password) == (self.user, self.password) else b"\1\1")
            if (name, password) != (self.user, self.password):
                return None
        _, command, _, kind = await reader.readexactly(4)
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        packed = await reader.readexactly(length)
        host = packed.decode() if kind == 3 else str(ip_address(packed))
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        if command == 3:
            await self._associate(reader, writer)
            return None
        self.asked.append(Endpoint(host, port))
        writer.write(b"\5\0\0\1\0\0\0\0\0\0")
        return self.asked[-1]

    async def _socks4a(self, reader: Reader, writer: Writer) -> Endpoint | None:
        _, _, port, packed = struct.unpack("!BBH4s", await reader.readexactly(8))
        user = (await reader.readuntil(b"\0"))[:-1].decode()
        by_name = packed[:3] == bytes(3)
        host = (await reader.readuntil(b"\0"))[:-1].decode() if by_name else str(ip_address(packed))
        if self.user is not None and user != self.user:
            writer.write(b"\0\x5d" + bytes(6))
            return None
        self.asked.append(Endpoint(host, port))
        writer.write(b"\0\x5a" + bytes(6))
        return self.asked[-1]

    async def _http(self, reader: Reader, writer: Writer) -> Endpoint | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split()[1].rpartition(":")
        if self.user is not None and "Proxy-Authorization: Basic" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        self.asked.append(Endpoint(host.strip("[]"), int(port)))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return self.asked[-1]

    async def _associate(self, reader: Reader, writer: Writer) -> None:
        if not self.udp:
            writer.write(b"\5\7\0\1\0\0\0\0\0\0")
            return
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Relay(self), local_addr=(self.host, 0))
        port = transport.get_extra_info("sockname")[1]
        writer.write(b"\5\0\0\1" + bytes(4) + struct.pack("!H", port))  # 0.0.0.0: where the proxy itself is
        self.controls.append(writer)
        try:
            await reader.read()
        finally:
            transport.close()

    async def _pass_on(self, reader: Reader, writer: Writer, target: Endpoint) -> None:
        host = self.names.get(target.host, target.host)
        there_reader, there_writer = await asyncio.open_connection(host, target.port)

        async def copy(source: Reader, sink: Writer) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    if source is reader:
                        self.said += data
                    sink.write(data)
                    await sink.drain()
                sink.write_eof()

        try:
            await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))
        finally:
            there_writer.close()
            await there_writer.wait_closed()


class _Relay(asyncio.DatagramProtocol):
    """Passes datagrams on: with a header from whoever sent the first, without one to everybody else."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._client: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # of datagrams
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if self._client is None:
            self._client = addr
            self._proxy.clients.append(addr)
        if addr != self._client:
            packed = ip_address(addr[0]).packed
            header = bytes((0, 0, 0, 1 if len(packed) == 4 else 4)) + packed + struct.pack("!H", addr[1])
            self._transport.sendto(header + data, self._client)
            return
        size = {1: 8, 4: 20}.get(data[3], 5 + data[4])
        host = data[5:size].decode() if data[3] == 3 else str(ip_address(data[4:size]))
        (port,) = struct.unpack("!H", data[size : size + 2])
        self._proxy.asked.append(Endpoint(host, port))
        self._proxy.said += data[size + 2 :]
        self._transport.sendto(data[size + 2 :], (self._proxy.names.get(host, host), port))


@asynccontextmanager
async def serving(
    talk: Callable[[Reader, Writer], Awaitable[None]], port: int = 0, host: str = "127.0.0.1"
) -> AsyncIterator[Endpoint]:
    """A TCP server on a port of its own, or this one, of which nothing is left in the end."""
    tasks: dict[asyncio.Task[None], Writer] = {}

    async def serve(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks[task] = writer
        with suppress(OSError, EOFError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    listening = await asyncio.start_server(serve, host, port)
    try:
        yield Endpoint(host, listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in tasks.values():
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def running(proxy: Proxy, port: int = 0) -> AsyncIterator[Proxy]:
    """`proxy`, at work on a port of its own, or this one."""
    async with serving(proxy.serve, port, proxy.host) as place:
        proxy.server = ProxyServer(proxy.kind, place, proxy.user, proxy.password)
        yield proxy


@asynccontextmanager
async def saying(
    answer: bytes | None, kind: ProxyKind = ProxyKind.SOCKS5, *, ends: bool = True
) -> AsyncIterator[ProxyServer]:
    """A proxy that says this to everybody, whatever it is asked, and ends; None for one that is silent."""

    async def talk(reader: Reader, writer: Writer) -> None:
        if answer is not None:
            writer.write(answer)
            await writer.drain()
            if ends:
                writer.write_eof()
        await reader.read()

    async with serving(talk) as place:
        yield ProxyServer(kind, place)


@contextmanager
def beside(proxy: Proxy) -> Iterator[Proxy]:
    """`proxy`, at work in a thread: for what has a loop of its own, or none."""
    ready, loops = threading.Event(), list[asyncio.AbstractEventLoop]()
    stop = asyncio.Event()

    async def serve() -> None:
        async with running(proxy):
            loops.append(asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield proxy
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
