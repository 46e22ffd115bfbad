import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Callable
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


class Debts:
    """Answers later, but at once to `/now`."""

    def __init__(self) -> None:
        self.owed: list[tuple[str, Callable[[Answer], None]]] = []
        self.due = asyncio.Event()

    def respond(self, request: Request, _host: bytes, _now: float) -> Answer | module.Later:
        if request.target == "/now":
            return Answer(b"now")

        def later(then: Callable[[Answer], None]) -> None:
            self.owed.append((request.target, then))
            self.due.set()

        return later

    async def pay(self) -> str:
        """Pay the oldest; what it was for."""
        async with asyncio.timeout(10):
            while not self.owed:
                self.due.clear()
                await self.due.wait()
        target, then = self.owed.pop(0)
        then(Answer(target.encode()))
        return target


async def test_answers_that_take_time_keep_their_order() -> None:
    debts = Debts()
    async with serving(debts.respond) as (server, port), connected(port) as (reader, writer):
        writer.write(b"".join(b"GET /%b HTTP/1.1\r\n\r\n" % each for each in (b"now", b"a", b"now", b"b", b"now")))
        assert b"now" in await answer(reader)
        assert len(debts.owed) <= 1  # one at a time
        assert await debts.pay() == "/a"
        assert [await answer(reader), await answer(reader)] == [b"HTTP/1.1 200 OK /a", b"HTTP/1.1 200 OK now"]
        assert await debts.pay() == "/b"
        assert [await answer(reader), await answer(reader)] == [b"HTTP/1.1 200 OK /b", b"HTTP/1.1 200 OK now"]
        writer.write(b"GET /c HTTP/1.0\r\n\r\nGET /d HTTP/1.0\r\n\r\n")
        assert await debts.pay() == "/c"
        assert b"/c" in await answer(reader)
        assert await reader.read() == b""
        await until(server, 0)
        assert not debts.owed


async def test_who_says_more_while_an_answer_takes_time_is_heard_after_it() -> None:
    debts = Debts()
    async with serving(debts.respond) as (_, port), connected(port) as (reader, writer):
        for target in (b"a", b"b"):
            writer.write(b"GET /now HTTP/1.1\r\n\r\n")
            await answer(reader)
            writer.write(b"GET /%b HTTP/1.1\r\n\r\n" % target)
            async with asyncio.timeout(10):
                await debts.due.wait()
            writer.write(b"GET /now HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.05)
            await debts.pay()
            debts.due.clear()
            assert target in await answer(reader)
            assert b"now" in await answer(reader)


async def test_an_answer_for_who_has_gone_is_dropped() -> None:
    debts = Debts()
    async with serving(debts.respond) as (server, port), connected(port) as (_, writer):
        writer.write(GET % 1)
        async with asyncio.timeout(10):
            await debts.due.wait()
        server.sweep(asyncio.get_running_loop().time() + 1000)
        await until(server, 0)
        await debts.pay()


async def test_an_answer_that_is_there_after_all_may_come_at_once() -> None:
    def at_once(request: Request, _host: bytes, _now: float) -> module.Later:
        return lambda then: then(Answer(request.target.encode()))

    async with serving(at_once) as (_, port), connected(port) as (reader, writer):
        writer.write(b"".join(GET % number for number in range(700)))
        for number in range(700):
            assert await answer(reader) == b"HTTP/1.1 200 OK /%d" % number


async def test_an_answer_waits_behind_what_the_client_has_not_read() -> None:
    debts = Debts()

    def respond(request: Request, host: bytes, now: float) -> Answer | module.Later:
        return Answer(bytes(8 << 20)) if request.target == "/big" else debts.respond(request, host, now)

    async with serving(respond) as (server, port), connected(port) as (reader, writer):
        writer.write(b"GET /big HTTP/1.1\r\n\r\n" + b"GET /a HTTP/1.0\r\n\r\n")
        assert len(await answer(reader)) > 8 << 20
        await debts.pay()
        assert b"/a" in await answer(reader)
        await until(server, 0)
