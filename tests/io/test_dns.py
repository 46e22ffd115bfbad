import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.io import dns as module
from bittern.io.dns import addresses_of, known_hosts, servers_named
from bittern.io.proxying import Proxied, Purpose
from bittern.io.route import DIRECT, Route
from bittern.wire.proxy.handshake import Endpoint
from tests.io.nat.toy import HOST, ear
from tests.io.proxies import Proxy, running
from tests.wire.test_dns import answer, record

FOUR, SIX = (socket.AF_INET,), (socket.AF_INET6,)
NAME = "tracker.example"


@asynccontextmanager
async def server(monkeypatch: pytest.MonkeyPatch, say: Callable[[bytes], bytes | None]) -> AsyncIterator[None]:
    """A name server on loopback, by UDP, and by TCP with one more address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        said = answer(record(1, b"\1\1\1\1"), record(1, b"\2\2\2\2"), asked=asked)
        writer.write(len(said).to_bytes(2) + said)
        writer.close()
        await writer.wait_closed()

    async with ear(say) as port:
        monkeypatch.setattr(module, "PORT", port)
        monkeypatch.setattr(module, "TRY_SECONDS", 0.2)
        monkeypatch.setattr(module, "HOSTS", Path("/nowhere"))
        tcp = await asyncio.start_server(serve, HOST, port)
        try:
            yield
        finally:
            tcp.close()
            await tcp.wait_closed()
            await asyncio.sleep(0.01)


async def asked(families: tuple[int, ...] = FOUR, servers: tuple[str, ...] = (HOST,)) -> list[str]:
    return await addresses_of(NAME, families, DIRECT.reaching, servers)


def one(data: bytes) -> bytes:
    wanted = int.from_bytes(data[-4:-2])
    return answer(record(wanted, b"\1\1\1\1" if wanted == 1 else bytes(15) + b"\7"), asked=data)


async def test_both_kinds_of_addresses_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, one):
        assert await asked(FOUR + SIX) == ["1.1.1.1", "::7"]
        assert await asked(SIX) == ["::7"]


async def test_a_route_with_servers_asks_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, one):
        route = Route(servers=(HOST,))
        found = await route.look_up(NAME, 80, Purpose.WEB)
        assert [str(each) for each in found] == ["1.1.1.1:80", "[::7]:80"]
        assert [each.host for each in await route.look_up("9.9.9.9", 80, Purpose.WEB)] == ["9.9.9.9"]


async def test_the_name_of_a_strict_proxy_is_asked_of_the_servers_of_the_route(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(data: bytes) -> bytes:
        return answer(*[record(1, b"\x7f\0\0\1")] * (data[-4:-2] == b"\0\1"), asked=data)

    async with running(Proxy()) as proxy, server(monkeypatch, here):
        named = replace(proxy.server, place=Endpoint("proxy.example", proxy.server.place.port))
        route = Route(proxied=Proxied(named, frozenset({Purpose.WEB})), servers=(HOST,))
        assert route.proxying is not None
        with pytest.raises(PermissionError):
            route.reaching(HOST, socket.SOCK_DGRAM)
        (await route.proxying.connect(Endpoint(HOST, proxy.server.place.port))).close()


async def test_what_does_not_fit_comes_by_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, lambda data: answer(flags=0x8380, asked=data)):
        assert await asked() == ["1.1.1.1", "2.2.2.2"]


async def test_a_server_at_an_address_of_one_link_is_asked(monkeypatch: pytest.MonkeyPatch, on_link: str) -> None:
    """As routers for IPv6 name themselves."""
    async with ear(one, on_link) as port:
        monkeypatch.setattr(module, "PORT", port)
        assert await asked(FOUR, (on_link,)) == ["1.1.1.1"]


async def test_a_silent_server_is_asked_twice_and_the_next_one_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    count: list[bytes] = []
    async with server(monkeypatch, count.append):
        with pytest.raises(OSError, match="no name server answers"):
            await asked()
    assert len(count) == 2
    async with server(monkeypatch, one):
        assert await asked(servers=("127.0.0.9", HOST)) == ["1.1.1.1"]


async def test_forged_answers_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, lambda data: b"\0\0" + one(data)[2:]):
        with pytest.raises(OSError, match="no name server answers"):
            await asked()


async def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, lambda data: answer(flags=0x8183, asked=data)):
        with pytest.raises(OSError, match="name not known"):
            await asked()
    with pytest.raises(OSError, match="no name server is known"):
        await asked(servers=())
    with pytest.raises(OSError, match="no name of a host"):
        await addresses_of("a" * 99, FOUR, DIRECT.reaching, (HOST,))


def test_servers_on_this_machine_are_left_out_and_those_that_systemd_asks_found(tmp_path: Path) -> None:
    stub, real = tmp_path / "resolv.conf", tmp_path / "systemd"
    stub.write_text("# systemd\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text(
        "nameserver 10.8.0.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver junk\nnameserver 9.9.9.9\n"
    )
    assert servers_named((stub, real)) == ("10.8.0.1", "fe80::1%eth0", "9.9.9.9")
    assert servers_named((stub, tmp_path / "none")) == ()


async def test_the_list_of_the_machine_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 localhost # home\n\n10.0.0.9 Tracker.Example\n")
    assert known_hosts("LOCALHOST", hosts) == ("127.0.0.1", "::1")
    monkeypatch.setattr(module, "known_hosts", lambda name: known_hosts(name, hosts))
    assert await asked(FOUR + SIX, ()) == ["10.0.0.9"]
