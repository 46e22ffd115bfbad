import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bittern.io.tracker import web as module
from bittern.io.tracker.web import WebServer
from bittern.wire.http_request import MAX_HEAD, Answer, Request

GET = b"GET /%d HTTP/1.1\r\n\r\n"


def echo(request: Request, host: bytes, _now: float) -> Answer:
    return Answer(b"%b %b" % (request.target.encode(), host))


@asynccontextmanager
async def serving(respond: module.Respond = echo, most: int = 100) -> AsyncIterator[tuple[WebServer, int]]:
    """A server on 127.0.0.1, and its port."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = WebServer(asyncio.get_running_loop(), sock, respond, most)
    try:
        yield server, sock.getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head.split(b"\r\n")[0] + b" " + await reader.readexactly(length)


async def until(server: WebServer, count: int) -> None:
    """Until it has so many connections."""
    async with asyncio.timeout(10):
        while server.connections != count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_requests_are_answered_in_order_on_one_connection() -> None:
    async with serving() as (server, port), connected(port) as (reader, writer):
        writer.write(b"".join(GET % number for number in range(50)))
        for number in range(50):
            assert await answer(reader) == b"HTTP/1.1 200 OK /%d \x7f\0\0\1" % number
        assert server.connections == 1
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert await answer(reader) == b"HTTP/1.1 200 OK / \x7f\0\0\1"
        assert await reader.read() == b""
        await until(server, 0)


async def test_who_does_not_read_is_not_served_on() -> None:
    """Answers wait in bounded memory, and all come when they are read."""
    asked = 0

    def large(_request: Request, _host: bytes, _now: float) -> Answer:
        nonlocal asked
        asked += 1
        return Answer(bytes(60_000))

    async with serving(large) as (_, port), connected(port) as (reader, writer):
        for _ in range(20):
            writer.write(GET % 1 * 50)
            await asyncio.sleep(0.01)
        assert asked < 500
        for _ in range(1000):
            assert len(await answer(reader)) > 60_000
        assert asked == 1000


async def test_nonsense_is_answered_once_and_the_connection_ends() -> None:
    async with serving() as (server, port), connected(port) as (reader, writer):
        writer.write(GET % 1 + b"nonsense\r\n\r\n" + GET % 2)
        assert b"/1" in await answer(reader)
        assert (await answer(reader)).startswith(b"HTTP/1.1 400")
        assert await reader.read() == b""
        await until(server, 0)


async def test_a_head_without_end_is_refused() -> None:
    async with serving() as (_, port), connected(port) as (reader, writer):
        writer.write(b"GET /" + b"x" * (MAX_HEAD - 1))
        assert (await answer(reader)).startswith(b"HTTP/1.1 431")


async def test_the_patience_with_slow_requests_ends() -> None:
    async with serving() as (server, port), connected(port) as (reader, writer):
        writer.write(b"GET /")
        await until(server, 1)
        now = asyncio.get_running_loop().time()
        server.sweep(now + module.REQUEST_SECONDS - 5)
        assert server.connections == 1
        writer.write(b"slow")  # gains nothing
        await writer.drain()
        await asyncio.sleep(0.05)
        server.sweep(now + module.REQUEST_SECONDS + 1)
        assert server.connections == 0
        assert await reader.read() == b""


async def test_an_answer_earns_more_patience() -> None:
    async with serving() as (server, port), connected(port) as (reader, writer):
        writer.write(GET % 1)
        await answer(reader)
        now = asyncio.get_running_loop().time()
        server.sweep(now + module.REQUEST_SECONDS + 1)
        assert server.connections == 1
        server.sweep(now + module.IDLE_SECONDS + 1)
        assert server.connections == 0


async def test_who_comes_beyond_the_limit_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    async with serving(most=1) as (server, port), connected(port) as (_, first):
        await until(server, 1)
        async with connected(port) as (reader, writer):
            writer.write(GET % 2)
            await asyncio.sleep(0.1)
            assert server.connections == 1
            first.close()
            assert b"/2" in await answer(reader)


async def test_it_survives_that_no_more_files_may_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    async with serving() as (server, port), connected(port) as (reader, writer):
        await until(server, 1)
        with socket.socket() as later:
            later.setblocking(False)
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (later.fileno() + 1, limits[1]))
            try:
                await asyncio.get_running_loop().sock_connect(later, ("127.0.0.1", port))
                await asyncio.sleep(0.05)
                assert server.connections == 1
                writer.write(GET % 1)
                assert b"/1" in await answer(reader)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            await until(server, 2)


async def test_resets_are_no_trouble() -> None:
    async with serving() as (server, port):
        for data in (b"", b"GET /", GET % 1 * 100):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.sendall(data)
        await asyncio.sleep(0.1)
        await until(server, 0)
        async with connected(port) as (reader, writer):
            writer.write(GET % 3)
            assert b"/3" in await answer(reader)
