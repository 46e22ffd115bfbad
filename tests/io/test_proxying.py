"""Connections through proxies in this process, those that work and those that do anything else."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from bittern.base.address import Address
from bittern.base.errors import ProxyError
from bittern.io import proxying as module
from bittern.io.proxying import Proxying
from bittern.wire.proxy.handshake import NOWHERE, Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from tests.io.proxies import Proxy, Reader, Writer, running, saying, serving

GRANTED = b"\5\0\5\0\0\1\0\0\0\0\0\0"


def open_socket(_: str, kind: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


async def here(_: str, port: int) -> list[Address]:
    return [Address("127.0.0.1", port)]


def through(server: ProxyServer) -> Proxying:
    one = Proxying(server, open_socket, here)
    one.on_trouble = lambda _: None
    return one


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that says everything again."""

    async def talk(reader: Reader, writer: Writer) -> None:
        writer.write(await reader.readexactly(5))
        await writer.drain()

    async with serving(talk) as place:
        yield place.port


async def heard(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    with sock:
        await loop.sock_sendall(sock, b"hello")
        return await loop.sock_recv(sock, 100)


@pytest.mark.parametrize("kind", ProxyKind)
@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("host", ["127.0.0.1", "named.example"])
async def test_a_connection_is_to_whom_it_was_wanted(kind: ProxyKind, user: str | None, host: str, echo: int) -> None:
    password = "pw" if user is not None and kind is not ProxyKind.SOCKS4A else ""
    async with running(Proxy(kind, user, password, {"named.example": "127.0.0.1"})) as proxy:
        assert await heard(await through(proxy.server).connect(Endpoint(host, echo))) == b"hello"
        assert proxy.asked == [Endpoint(host, echo)]


async def test_the_proxy_may_have_a_name(echo: int) -> None:
    async with running(Proxy()) as proxy:
        named = ProxyServer(ProxyKind.SOCKS5, Endpoint("localhost", proxy.server.place.port))
        assert await heard(await through(named).connect(Endpoint("127.0.0.1", echo))) == b"hello"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"", ProxyKind.SOCKS5, "closed the connection"),
        (b"\5", ProxyKind.SOCKS5, "closed the connection"),
        (b"\5\0\5\0", ProxyKind.SOCKS5, "closed the connection"),
        (b"\4\0", ProxyKind.SOCKS5, "does not speak SOCKS 5"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProxyKind.SOCKS5, "does not speak SOCKS 5"),
        (b"\5\xff", ProxyKind.SOCKS5, "wants a name and password"),
        (b"\5\0\5\0\0\3\xff" + bytes(10), ProxyKind.SOCKS5, "closed the connection"),
        (b"\5\0" + b"\x41" * 1_000_000, ProxyKind.SOCKS5, "does not speak SOCKS 5"),
        (b"", ProxyKind.SOCKS4A, "closed the connection"),
        (b"\0\x5d" + bytes(6), ProxyKind.SOCKS4A, "who we are"),
        (b"\5\0\5\0\0\1\0\0\0\0\0\0", ProxyKind.SOCKS4A, "does not speak SOCKS 4"),
        (b"\5\0\0\0", ProxyKind.HTTP, "does not speak HTTP"),
        (b"HTTP/1.1 407 Who\r\n\r\n", ProxyKind.HTTP, "wants a name and password"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200_000, ProxyKind.HTTP, "does not end its answer"),
        (b"HTTP/1.1 200 OK\r\n", ProxyKind.HTTP, "closed the connection"),
    ],
)
async def test_a_proxy_that_can_not_be_used_is_named_with_the_reason(
    answer: bytes, kind: ProxyKind, words: str
) -> None:
    async with saying(answer, kind) as server:
        one = through(server)
        with pytest.raises(ProxyError, match=words) as caught:
            await one.connect(Endpoint("192.0.2.1", 1))
        assert str(caught.value).startswith(f"the proxy {server}: ")
        assert one.trouble == str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"\5\0\5\5\0\1\0\0\0\0\0\0", ProxyKind.SOCKS5, errno.ECONNREFUSED),
        (b"\0\x5b" + bytes(6), ProxyKind.SOCKS4A, errno.EHOSTUNREACH),
        (b"HTTP/1.1 504 Late\r\n\r\n", ProxyKind.HTTP, errno.ETIMEDOUT),
    ],
)
async def test_an_end_that_can_not_be_reached_is_no_fault_of_the_proxy(
    answer: bytes, kind: ProxyKind, code: int
) -> None:
    async with saying(answer, kind) as server:
        one = through(server)
        with pytest.raises(OSError, match="the proxy ") as caught:
            await one.connect(Endpoint("192.0.2.1", 1))
        assert caught.value.errno == code
        assert one.trouble is None


async def test_a_proxy_that_is_not_there_is_told_once_until_it_works_again(
    caplog: pytest.LogCaptureFixture, echo: int
) -> None:
    async with running(Proxy()) as proxy:
        one = Proxying(proxy.server, open_socket, here)
    with caplog.at_level(logging.WARNING, "bittern.proxy"):
        for _ in range(3):
            with pytest.raises(ProxyError, match="connection refused"):
                await one.connect(Endpoint("127.0.0.1", echo))
        assert len(caplog.records) == 1
        async with running(Proxy()) as proxy:
            one.server = proxy.server
            (await one.connect(Endpoint("127.0.0.1", echo))).close()
            assert one.trouble is None
        with pytest.raises(ProxyError):
            await one.connect(Endpoint("127.0.0.1", echo))
        assert len(caplog.records) == 2


@pytest.mark.parametrize(("kind", "error"), [(ProxyKind.SOCKS5, ProxyError), (ProxyKind.HTTP, TimeoutError)])
async def test_a_proxy_that_hangs_is_given_up(
    kind: ProxyKind, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only SOCKS 5 speaks before it connects: of the others nobody can tell who is slow."""
    monkeypatch.setattr(module, "REACH_SECONDS", 0.05)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    async with saying(None, kind) as server:
        one = through(server)
        with pytest.raises(error):
            await one.connect(Endpoint("192.0.2.1", 1))
        assert (one.trouble is not None) == (kind is ProxyKind.SOCKS5)


async def test_a_name_that_no_proxy_could_look_up_is_its_own_fault() -> None:
    async with running(Proxy()) as proxy:
        one = through(proxy.server)
        with pytest.raises(OSError, match="no name"):
            await one.connect(Endpoint("x" * 300, 1))
        assert one.trouble is None


@pytest.mark.parametrize("kind", ProxyKind)
async def test_datagrams_go_through_socks_5_alone(kind: ProxyKind) -> None:
    async with running(Proxy(kind)) as proxy:
        one = through(proxy.server)
        if kind is ProxyKind.SOCKS5:
            control, relay = await one.associate(NOWHERE)
            with control:
                assert relay.port > 0
        else:
            with pytest.raises(ProxyError, match="knows no UDP"):
                await one.associate(NOWHERE)


async def test_a_proxy_without_udp_says_so_and_works_otherwise(echo: int) -> None:
    async with running(Proxy(udp=False)) as proxy:
        one = through(proxy.server)
        with pytest.raises(ProxyError, match="knows no UDP"):
            await one.associate(NOWHERE)
        assert await heard(await one.connect(Endpoint("127.0.0.1", echo))) == b"hello"


async def test_an_address_of_the_proxy_that_nothing_of_ours_leads_to_is_passed_over(echo: int) -> None:
    """It has one of each family, and we come from an address of IPv4 alone."""

    def open_socket(host: str, kind: int) -> socket.socket:
        if ":" in host:
            raise OSError(errno.EAFNOSUPPORT, "no address of ours in this family")
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        return sock

    async def look_up(_: str, port: int) -> list[Address]:
        return [Address("2001:db8::1", port), Address("127.0.0.1", port)]

    async with running(Proxy()) as proxy:
        server = ProxyServer(ProxyKind.SOCKS5, Endpoint("proxy.example", proxy.server.place.port))
        through_it = Proxying(server, open_socket, look_up)
        assert await heard(await through_it.connect(Endpoint("127.0.0.1", echo))) == b"hello"
