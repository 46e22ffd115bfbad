"""Requests of HTTP by each way."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bittern.base.errors import NetworkError
from bittern.io import tls
from bittern.io.http import HttpFetcher
from bittern.io.proxying import Proxied, Purpose
from bittern.io.route import Route
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from tests.io.proxies import Proxy, Reader, Writer, running, serving
from tests.io.test_tls import certificate

MOST, SECONDS = 1000, 5.0


@pytest.fixture
async def web() -> AsyncIterator[Endpoint]:
    """A server that answers with the host that it was asked for."""

    async def talk(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [host] = [line[6:] for line in head.split(b"\r\n") if line.startswith(b"Host: ")]
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(host) + host)
        await writer.drain()

    async with serving(talk) as place:
        yield place


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up by nobody here."""

    def nobody(*_: object) -> None:
        raise AssertionError("a name left this machine")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)


async def fetched(route: Route, url: str, *, ipv6: bool | None = None, local: bool = True) -> bytes:
    fetcher = HttpFetcher("test", route)
    try:
        return (await fetcher.fetch(url, MOST, SECONDS, Purpose.TRACKERS, ipv6=ipv6, local=local))[1]
    finally:
        await fetcher.close()


@pytest.mark.parametrize("kind", ProxyKind)
@pytest.mark.usefixtures("no_names")
async def test_a_server_is_asked_through_the_proxy_by_its_name(kind: ProxyKind, web: Endpoint) -> None:
    async with running(Proxy(kind, names={"tracker.example": "127.0.0.1"})) as proxy:
        route = Route(proxied=Proxied(proxy.server))
        host = f"tracker.example:{web.port}"
        assert await fetched(route, f"http://{host}/", local=False) == host.encode()
        assert proxy.asked == [Endpoint("tracker.example", web.port)]


async def test_an_address_is_asked_through_the_proxy_as_it_is(web: Endpoint) -> None:
    async with running(Proxy()) as proxy:
        assert await fetched(Route(proxied=Proxied(proxy.server)), f"http://{web}/") == str(web).encode()
        assert proxy.asked == [web]


@pytest.mark.parametrize(
    ("host", "words"),
    [("127.0.0.1", "local network"), ("[::1]", "local network"), ("localhost", "local network")],
)
async def test_what_may_not_be_asked_is_not_asked_through_a_proxy(host: str, words: str) -> None:
    async with running(Proxy()) as proxy:
        with pytest.raises(NetworkError, match=words):
            await fetched(Route(proxied=Proxied(proxy.server)), f"http://{host}:80/", local=False)
        with pytest.raises(NetworkError, match="never asked"):
            await fetched(Route(proxied=Proxied(proxy.server)), "http://169.254.169.254/")
        assert proxy.asked == []


@pytest.mark.usefixtures("no_names")
async def test_of_a_name_that_the_proxy_looks_up_nobody_knows_an_ipv6_address() -> None:
    async with running(Proxy()) as proxy:
        with pytest.raises(NetworkError, match="no address of this family"):
            await fetched(Route(proxied=Proxied(proxy.server)), "http://tracker.example/", ipv6=True)
        assert proxy.asked == []


@pytest.mark.parametrize("strict", [True, False])
async def test_a_proxy_that_is_not_there_is_the_reason_and_nothing_goes_another_way(
    strict: bool,  # noqa: FBT001 - a parameter
    web: Endpoint,
) -> None:
    gone = ProxyServer(ProxyKind.SOCKS5, Endpoint("127.0.0.1", 1))
    route = Route(proxied=Proxied(gone, strict=strict))
    with pytest.raises(NetworkError, match=r"the proxy socks5://127\.0\.0\.1:1: connection refused"):
        await fetched(route, f"http://{web}/")


async def test_what_goes_no_way_is_not_asked(web: Endpoint) -> None:
    async with running(Proxy()) as proxy:
        with pytest.raises(NetworkError, match="not to go through the proxy"):
            await fetched(Route(proxied=Proxied(proxy.server, frozenset())), f"http://{web}/")
        loose = Route(proxied=Proxied(proxy.server, frozenset(), strict=False))
        assert await fetched(loose, f"http://{web}/") == str(web).encode()
        assert proxy.asked == []


@pytest.mark.parametrize("known", [True, False])
async def test_certificates_are_verified_through_a_proxy_as_without_one(
    known: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nsecret")
            await writer.drain()
        writer.close()

    context = certificate(tmp_path, "tracker.example")
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    tls.client_context.cache_clear()
    listening = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    async with running(Proxy(names={"tracker.example": "127.0.0.1"})) as proxy:
        route, url = Route(proxied=Proxied(proxy.server)), f"https://tracker.example:{port}/"
        if known:
            assert await fetched(route, url) == b"secret"
        else:
            with pytest.raises(NetworkError, match="certificate"):
                await fetched(route, url)
        assert proxy.asked == [Endpoint("tracker.example", port)]
    listening.close()
    await listening.wait_closed()
    tls.client_context.cache_clear()
