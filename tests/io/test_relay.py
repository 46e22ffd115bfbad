"""Datagrams through a proxy in this process."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from bittern.base.address import Address
from bittern.io import proxying
from bittern.io import relay as module
from bittern.io.proxying import Proxied, Purpose
from bittern.io.relay import RelayPort
from bittern.io.route import Route
from bittern.io.sockets import place_of
from bittern.wire.datagrams import Burst, Cut, Kind
from bittern.wire.krpc import Ping, Query
from bittern.wire.proxy.handshake import Endpoint
from tests.io.conftest import Until
from tests.io.proxies import Proxy, running, saying
from tests.io.test_udp import PACKET, Party

TRACKER = b"\0\0\0\1\0\0\0\7answer"


@pytest.fixture
def far() -> Iterator[socket.socket]:
    """Somebody out there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with running(Proxy(names={"far.example": "127.0.0.1"})) as one:
        yield one


def of(sock: socket.socket) -> Address:
    return Address(*sock.getsockname())


def relay(proxy: Proxy) -> tuple[RelayPort, Party, Route]:
    route, party = Route(proxied=Proxied(proxy.server)), Party()
    assert route.proxying is not None
    port = RelayPort(route, route.proxying)
    for kind in (Kind.DHT, Kind.TRACKER, Kind.UTP):
        port.join(kind, party)
    port.watch(party)
    return port, party, route


async def received(sock: socket.socket) -> tuple[bytes, tuple[str, int]]:
    return await asyncio.to_thread(sock.recvfrom, 2000)


async def test_datagrams_go_out_from_the_proxy_and_come_back_with_their_senders(
    proxy: Proxy, far: socket.socket, until: Until
) -> None:
    port, party, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))  # there is no place yet: it waits
        data, name = await received(far)
        assert data == b"first"
        assert proxy.asked == [Endpoint(*of(far))]
        far.sendto(TRACKER, name)
        await until(lambda: bool(party.heard))
        assert party.heard == [(TRACKER, len(TRACKER), of(far))]
        assert party.turns == 1
        assert port.reaches(Address("::1", 1))


async def test_a_proxy_at_an_address_of_one_link_takes_datagrams_too(on_link: str, until: Until) -> None:
    async with running(Proxy(host=on_link)) as proxy:
        port, party, _ = relay(proxy)
        with closing(port), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as far:
            far.bind(place_of(on_link, 0))
            far.settimeout(5)
            there = Address(on_link.partition("%")[0], far.getsockname()[1])
            port.send(b"first", there)
            data, name = await asyncio.to_thread(far.recvfrom, 2000)
            assert data == b"first"
            far.sendto(TRACKER, name)
            await until(lambda: bool(party.heard))
            assert party.heard == [(TRACKER, len(TRACKER), there)]


async def test_a_burst_goes_as_the_datagrams_that_it_is_made_of(proxy: Proxy, far: socket.socket, until: Until) -> None:
    port, party, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))
        _, name = await received(far)
        assert port.send_burst(Burst(of(far), [PACKET, b"a" * 30, PACKET, b"b" * 30, PACKET], 50))
        assert [(await received(far))[0] for _ in range(3)] == [PACKET + b"a" * 30, PACKET + b"b" * 30, PACKET]
        far.sendto(PACKET + b"c", name)
        await until(lambda: bool(party.heard))
        assert party.heard[-1] == (PACKET + b"c", 21, of(far))


async def test_what_is_too_long_is_told_as_long_as_it_is(proxy: Proxy, far: socket.socket, until: Until) -> None:
    port, party, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))
        await received(far)
        assert port.send_burst(Burst(of(far), [bytes(70_000)], 70_000, cut=Cut.NEVER))
        await until(lambda: bool(party.long))
        assert party.long == [(of(far), 70_000)]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (bytes(12) + b"\0\0\0\7", TRACKER),
        (Query(b"aa", b"i" * 20, Ping()).encode(), b"d1:rd2:id20:%be1:t2:aa1:y1:re" % (b"j" * 20)),
        (b"\x41\0\0\7" + bytes(16), b"\x21\0\0\7" + bytes(16)),
    ],
    ids=["tracker", "node", "peer"],
)
async def test_who_was_asked_by_name_answers_by_it(
    proxy: Proxy, far: socket.socket, until: Until, question: bytes, answer: bytes
) -> None:
    port, party, route = relay(proxy)
    with closing(port):
        [alias] = await route.look_up("far.example", of(far).port, Purpose.TRACKERS)
        if question[0] == 0x41:
            port.send(b"first", of(far))
            await received(far)
            port.send_burst(Burst(alias, [question], len(question)))
        else:
            port.send(question, alias)
        data, name = await received(far)
        assert data == question
        assert proxy.asked[-1] == Endpoint("far.example", alias.port)
        far.sendto(answer, name)
        far.sendto(answer.replace(b"\7", b"\6").replace(b"t2:aa", b"t2:bb"), name)  # to somebody else's question
        await until(lambda: len(party.heard) == 2)
        assert [source for *_, source in party.heard] == [alias, of(far)]


async def test_a_place_that_ends_is_asked_for_again(
    proxy: Proxy, far: socket.socket, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    port, _, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))
        _, before = await received(far)
        proxy.controls.pop().close()
        await until(lambda: bool(proxy.controls))
        port.send(b"second", of(far))
        data, after = await received(far)
        assert data == b"second"
        assert before != after


async def test_a_place_that_ends_at_once_is_asked_for_ever_more_seldom(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    tries: list[float] = []
    real = proxying.Proxying.associate

    async def noted(self: proxying.Proxying, here: Endpoint) -> tuple[socket.socket, Endpoint]:
        tries.append(asyncio.get_running_loop().time())
        return await real(self, here)

    monkeypatch.setattr(proxying.Proxying, "associate", noted)
    async with saying(b"\5\0\5\0\0\1\x7f\0\0\1\0\x09") as server:
        route = Route(proxied=Proxied(server))
        assert route.proxying is not None
        with closing(RelayPort(route, route.proxying)) as port:
            port.clock = lambda: 0.0
            await until(lambda: len(tries) == 5)
    assert all(later - earlier >= 0.009 * 2**at for at, (earlier, later) in enumerate(pairwise(tries)))


async def test_who_is_not_the_proxy_is_not_heard(proxy: Proxy, far: socket.socket, until: Until) -> None:
    port, party, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))
        _, name = await received(far)
        [own] = proxy.clients
        far.sendto(b"\0\0\0\1" + bytes(6) + TRACKER, own)
        far.sendto(TRACKER, name)
        await until(lambda: bool(party.heard))
        assert [source for *_, source in party.heard] == [of(far)]


@pytest.mark.parametrize("udp", [True, False])
async def test_without_a_place_everything_is_refused_and_that_is_said_once(
    udp: bool,  # noqa: FBT001 - a parameter
    far: socket.socket,
    until: Until,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    proxy = Proxy(udp=False)
    async with running(proxy) if not udp else saying(b"\5\xff") as found:
        if udp:
            proxy.server = found  # type: ignore[assignment]  # that which only says no
        with caplog.at_level(logging.WARNING, "bittern.proxy"):
            port, party, _ = relay(proxy)
            with closing(port):
                port.send(b"first", of(far))
                await until(lambda: bool(party.nobody))
                assert party.nobody == [of(far)]
                with pytest.raises(OSError, match="wants a name" if udp else "knows no UDP"):
                    port.send(b"second", of(far))
                assert port.send_burst(Burst(of(far), [PACKET], 20))
                assert party.nobody == [of(far)] * 2
                await asyncio.sleep(0.05)
        assert [record.getMessage()[:22] for record in caplog.records] == ["no UDP: the proxy sock"]
        assert proxy.asked == []


async def test_a_place_somewhere_else_is_sought_at_the_proxy(far: socket.socket) -> None:
    """Nobody is to have us send to others."""
    port_bytes = of(far).port.to_bytes(2)
    async with saying(b"\5\0\5\0\0\1\xc0\0\2\1" + port_bytes, ends=False) as server:
        route = Route(proxied=Proxied(server))
        assert route.proxying is not None
        with closing(RelayPort(route, route.proxying)) as port:
            port.send(b"hello", Address("192.0.2.9", 9))
            data, _ = await received(far)
            assert data == b"\0\0\0\1\xc0\0\2\x09\0\x09hello"


async def test_a_place_that_can_not_be_used_is_asked_for_again(
    proxy: Proxy, far: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interface is gone, say, when the proxy answers."""
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.01)
    real, failures = Route.to_proxy, iter((True, False))

    def fails_once(route: Route, host: str, kind: int) -> socket.socket:
        if kind == socket.SOCK_DGRAM and next(failures, False):
            raise OSError(19, "No such device")
        return real(route, host, kind)

    monkeypatch.setattr(Route, "to_proxy", fails_once)
    port, _, _ = relay(proxy)
    with closing(port):
        port.send(b"first", of(far))
        assert (await received(far))[0] == b"first"


async def test_a_proxy_that_hangs_has_no_place(
    far: socket.socket, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxying, "ANSWER_SECONDS", 0.05)
    async with saying(b"\5\0", ends=False) as server:
        route, party = Route(proxied=Proxied(server)), Party()
        assert route.proxying is not None
        with closing(RelayPort(route, route.proxying)) as port:
            port.watch(party)
            port.send(b"hello", of(far))
            await until(lambda: bool(party.nobody))
            with pytest.raises(OSError, match="no answer within"):
                port.send(b"hello", of(far))


async def test_it_ends_when_nobody_listens_any_more(proxy: Proxy) -> None:
    port, _, _ = relay(proxy)
    for kind in (Kind.DHT, Kind.TRACKER, Kind.UTP):
        port.leave(kind)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= 2
    port.close()
