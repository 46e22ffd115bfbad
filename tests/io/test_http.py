"""GETs against a server that does everything wrong that servers do."""

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bittern.base.errors import NetworkError
from bittern.engine.effects import HttpGet
from bittern.io import http as module
from bittern.io.http import REDIRECTS, HttpFetcher, HttpPort
from bittern.io.route import DIRECT, Route
from bittern.io.tasks import Tasks
from bittern.io.turn import Turn

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]
MOST = 10_000


class Server:
    """Answers each request as `answer` says, and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.port = 0
        self.answer: bytes | Answer = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
                await writer.drain()
            else:
                await self.answer(reader, writer, request)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/announce"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = listening.sockets[0].getsockname()[1]
    yield one
    listening.close()
    await listening.wait_closed()


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpFetcher]:
    one = HttpFetcher("bittern/test", Route("127.0.0.1"))
    yield one
    await one.close()


@pytest.fixture
def unsigned(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [openssl, "req", "-x509", *kind, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def refused(fetcher: HttpFetcher, url: str, seconds: float = 5.0) -> str:
    with pytest.raises(NetworkError) as caught:
        await fetcher.fetch(url, MOST, seconds)
    return str(caught.value)


async def test_status_and_body_come_back_and_the_query_goes_out_as_it_is(server: Server, fetcher: HttpFetcher) -> None:
    server.answer = reply(b"d8:intervali1ee", "404 Not Found")
    query = "?info_hash=%00%ff%2B%20&peer_id=-BZ0000-a%2fb&x=~()"
    assert await fetcher.fetch(server.url + query, MOST, 5.0) == (404, b"d8:intervali1ee")
    [request] = server.requests
    assert request.startswith(b"GET /announce" + query.encode() + b" HTTP/1.1\r\n")
    assert b"User-Agent: bittern/test\r\n" in request
    assert b"Cookie" not in request


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        (b"/a b?c d", b"/a%20b?c%20d"),
        ("/ü".encode(), b"/%C3%BC"),
        (b"/\xfc", b"/%FC"),
        (b"/%2f%zz", b"/%2f%zz"),
    ],
)
async def test_what_may_not_stand_in_a_request_is_escaped(
    server: Server, fetcher: HttpFetcher, location: bytes, asked: bytes
) -> None:
    """Where a redirect says it, and where who asks does."""
    answers = [b"HTTP/1.1 302 X\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n", reply(b"there")]

    async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    server.answer = redirect
    assert await fetcher.fetch(server.url.replace("announce", "x ü"), MOST, 5.0) == (200, b"there")
    assert [request.split(b" ")[1] for request in server.requests] == [b"/x%20%C3%BC", asked]


async def test_redirects_are_followed_to_a_limit(server: Server, fetcher: HttpFetcher) -> None:
    left = REDIRECTS - 1

    async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        nonlocal left
        left -= 1
        writer.write(reply(b"", "302 Found", f"Location: {server.url}") if left >= 0 else reply(b"there"))
        await writer.drain()

    server.answer = redirect
    assert await fetcher.fetch(server.url, MOST, 5.0) == (200, b"there")
    left = 1000
    assert "redirects" in await refused(fetcher, server.url)
    assert len(server.requests) <= 2 * REDIRECTS + 1


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "ftp://a.example:2x/", "gopher://x", "http://[", "//", "http:///"],
)
async def test_redirects_to_anything_but_http_are_refused(server: Server, fetcher: HttpFetcher, target: str) -> None:
    server.answer = reply(b"", "302 Found", f"Location: {target}")
    assert "passwd" not in str(await refused(fetcher, server.url)).replace(target, "")


@pytest.mark.parametrize(
    "answer",
    [
        reply(bytes(MOST + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MOST + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + bytes(4096) + b"\r\n") * 4,
        reply(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip"),
    ],
    ids=["announced", "until the end", "chunked", "bomb"],
)
async def test_a_body_beyond_the_limit_is_refused(server: Server, fetcher: HttpFetcher, answer: bytes) -> None:
    server.answer = answer
    assert f"longer than {MOST}" in await refused(fetcher, server.url)


async def test_a_body_without_end_is_refused_at_the_limit(server: Server, fetcher: HttpFetcher) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(bytes(10_000))
            await writer.drain()

    server.answer = flood
    assert "longer" in await refused(fetcher, server.url)


async def test_a_body_of_the_longest_allowed_size_passes(server: Server, fetcher: HttpFetcher) -> None:
    server.answer = reply(bytes(MOST))
    assert await fetcher.fetch(server.url, MOST, 5.0) == (200, bytes(MOST))


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"]
)
async def test_silence_is_given_up_in_time(server: Server, fetcher: HttpFetcher, said: bytes) -> None:
    release = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(said)
        await release.wait()

    server.answer = hang
    assert "no answer within 0.1 s" in await refused(fetcher, server.url, 0.1)
    release.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x13BitTorrent protocol" + bytes(48),
        b"HTTP/9.9 what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        reply(b"not gzip", "200 OK", "Content-Encoding: gzip"),
    ],
    ids=[
        "nothing",
        "another protocol",
        "version",
        "negative",
        "short",
        "chunks",
        "many headers",
        "long header",
        "gzip",
    ],
)
async def test_junk_is_an_error_in_our_words(server: Server, fetcher: HttpFetcher, answer: bytes) -> None:
    server.answer = answer
    assert await refused(fetcher, server.url)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[::1",
        "http://a b/",
        "http://" + "x" * 300 + "/",
        "http://127.0.0.1:99999/",
        "http://\x00/",
        "nonsense",
    ],
)
async def test_an_address_that_is_none_is_an_error_in_our_words(fetcher: HttpFetcher, url: str) -> None:
    assert await refused(fetcher, url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_who_must_stay_out_of_our_network_is_not_connected(
    server: Server, fetcher: HttpFetcher, host: str
) -> None:
    server.answer = reply(b"secret")
    url = f"http://{host}:{server.port}/announce"
    with pytest.raises(NetworkError, match="local network"):
        await fetcher.fetch(url, MOST, 5.0, local=False)
    assert server.requests == []
    assert await fetcher.fetch(url, MOST, 5.0, ipv6=False) == (200, b"secret")  # and its connection is not borrowed
    with pytest.raises(NetworkError, match="local network"):
        await fetcher.fetch(url, MOST, 5.0, local=False)
    assert len(server.requests) == 1


async def test_nobody_is_redirected_into_our_network_from_outside(
    server: Server, fetcher: HttpFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name before stands for a server of the world; only what a URL says itself makes it one of our network."""
    look_up = socket.getaddrinfo

    def world(host: str, *args: Any, **kwargs: Any) -> Any:
        return look_up("127.0.0.1" if host == "tracker.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", world)
    server.answer = reply(b"", "302 Found", f"Location: http://127.0.0.1:{server.port}/secret")
    with pytest.raises(NetworkError, match="local network"):
        await fetcher.fetch(f"http://tracker.example:{server.port}/announce", MOST, 5.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0"])
async def test_some_are_asked_for_nobody(fetcher: HttpFetcher, host: str) -> None:
    assert "no answer" not in await refused(fetcher, f"http://{host}:1/announce")


async def test_one_family_is_asked_by_itself(server: Server, fetcher: HttpFetcher) -> None:
    server.answer = reply(b"four")
    url = f"http://localhost:{server.port}/"
    assert await fetcher.fetch(url, MOST, 5.0, ipv6=False) == (200, b"four")
    with pytest.raises(NetworkError):
        await fetcher.fetch(url, MOST, 5.0, ipv6=True)


async def test_a_closed_port_is_named(fetcher: HttpFetcher) -> None:
    assert "127.0.0.1:1: the connection was refused" in await refused(fetcher, "http://127.0.0.1:1/")


async def test_a_certificate_that_nobody_signed_is_refused(fetcher: HttpFetcher, unsigned: ssl.SSLContext) -> None:
    listening = await asyncio.start_server(Server().serve, "127.0.0.1", 0, ssl=unsigned)
    port = listening.sockets[0].getsockname()[1]
    try:
        reason = await refused(fetcher, f"https://127.0.0.1:{port}/")
        assert reason.startswith(f"127.0.0.1:{port}: ")
        assert "certificate" in reason.lower()
    finally:
        listening.close()
        await listening.wait_closed()


async def test_tls_to_a_port_without_it_is_an_error_in_our_words(server: Server, fetcher: HttpFetcher) -> None:
    server.answer = b"HTTP/1.1 400 no\r\n\r\n"
    assert await refused(fetcher, server.url.replace("http:", "https:"), 0.3)


class Engine:
    """The part of a core that hears of fetches."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        self.heard.append((ticket, status, body))

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        self.heard.append((ticket, reason))


async def test_the_engine_hears_of_every_fetch_and_a_turn_follows(server: Server, fetcher: HttpFetcher) -> None:
    engine, tasks, settled = Engine(), Tasks(), list[float]()
    turn = Turn(asyncio.get_running_loop())

    def settle(now: float) -> None:
        settled.append(now)

    turn.start(settle, bool)
    await asyncio.sleep(0)
    before = len(settled)
    port = HttpPort(fetcher, engine, turn, tasks)  # type: ignore[arg-type]  # the part of a core that is used
    server.answer = reply(b"de")
    for ticket, url in ((5, server.url), (6, "http://127.0.0.1:1/")):
        port.get(HttpGet(ticket, 1, url, url, MOST, 5.0))
        await asyncio.gather(*tasks._running)
    await asyncio.sleep(0)
    assert engine.heard[0] == (5, 200, b"de")
    assert engine.heard[1][0] == 6
    assert len(settled) > before
    turn.close()


@pytest.mark.parametrize("hangs", [False, True])
async def test_what_must_not_overtake_another_fetch_waits_for_it_but_not_for_ever(
    server: Server, fetcher: HttpFetcher, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05 if hangs else 5.0)
    engine, tasks, free = Engine(), Tasks(), asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        if b"first" in request:
            await free.wait()
        writer.write(reply(b"de"))

    server.answer = hold
    turn = Turn(asyncio.get_running_loop())
    port = HttpPort(fetcher, engine, turn, tasks)  # type: ignore[arg-type]  # the part of a core that is used
    for ticket, after in ((5, ()), (6, (5, 4))):  # nobody knows of 4 any more
        url = f"{server.url}?{'first' if ticket == 5 else 'then'}"
        port.get(HttpGet(ticket, 1, url, url, MOST, 5.0, after=after))
    await asyncio.sleep(0.3)  # in which both would have come
    assert [b"first" in request for request in server.requests] == [True, False][: 1 + hangs]
    free.set()
    await asyncio.gather(*tasks._running)
    assert {heard[0] for heard in engine.heard} == {5, 6}
    turn.close()


async def test_an_address_that_the_ip_filter_blocks_is_not_connected_to(server: Server, fetcher: HttpFetcher) -> None:
    server.answer = reply(b"there")
    fetcher.blocks = lambda host: host == "127.0.0.1"
    url = f"http://localhost:{server.port}/"
    with pytest.raises(NetworkError, match=r"the IP filter blocks its address, 127\.0\.0\.1"):
        await fetcher.fetch(url, MOST, 5.0, ipv6=False)
    assert server.requests == []
    assert await fetcher.fetch(url, MOST, 5.0, ipv6=False, filtered=False) == (200, b"there")
    with pytest.raises(NetworkError, match="the IP filter blocks"):  # and its connection is not borrowed
        await fetcher.fetch(url, MOST, 5.0, ipv6=False)


async def test_who_is_anonymous_does_not_say_what_it_is(server: Server) -> None:
    server.answer = reply(b"x")
    nameless = HttpFetcher("", DIRECT)
    await nameless.fetch(server.url, MOST, 5.0)
    await nameless.close()
    assert b"agent" not in server.requests[0].lower()
    assert b"aiohttp" not in server.requests[0].lower()


async def test_who_may_do_what_is_told_to_no_other_server(server: Server, fetcher: HttpFetcher) -> None:
    """Within one server a redirect that names no host is gone along with; another port is another server."""
    secret = b"Basic bWU6c2VjcmV0"  # me:secret
    other = Server()
    listening = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    other.port = listening.sockets[0].getsockname()[1]
    other.answer = reply(b"there")
    steps = iter(["/again", other.url])

    async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(reply(b"", "302 Found", f"Location: {next(steps)}"))
        await writer.drain()

    server.answer = redirect
    async with listening:
        assert await fetcher.fetch(f"http://me:secret@127.0.0.1:{server.port}/announce", MOST, 5.0) == (200, b"there")
    assert [secret in request for request in server.requests] == [True, True]
    [asked] = other.requests
    assert b"authorization" not in asked.lower()
    assert b"secret" not in asked
    assert b"referer" not in asked.lower()
