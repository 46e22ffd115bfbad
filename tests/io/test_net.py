"""Dials: what the engine hears of each."""

import asyncio
import errno
import socket

import pytest

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.effects import Connect, GiveUp
from bittern.io import net
from bittern.io.net import SystemNet
from bittern.io.proxying import Proxied
from bittern.io.route import Route
from bittern.io.tasks import Tasks
from bittern.io.turn import Turn
from bittern.wire.stream import Link, LinkLost, LossKind
from tests.io.conftest import Until
from tests.io.proxies import Proxy, Reader, Writer, running, saying, serving
from tests.sim.toys import Toy


class Engine:
    """The part of a core that hears of dials."""

    def __init__(self) -> None:
        self.toys: dict[int, Toy] = {}
        self.failures: dict[int, LinkLost] = {}

    def connected(self, ticket: int, link: Link, now: float) -> Toy:
        toy = self.toys[ticket] = Toy(b"hello")
        toy.link = link
        return toy

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        self.failures[ticket] = reason


def make(turn: Turn, source: str | None = None) -> tuple[SystemNet, Engine, Tasks]:
    engine, tasks = Engine(), Tasks()
    route = Route(*([source] if source else []))
    return SystemNet(asyncio.get_running_loop(), turn, engine, tasks, route), engine, tasks  # type: ignore[arg-type]  # the part of a core that is used


@pytest.mark.parametrize("source", [None, "127.0.0.1"])
async def test_a_dial_that_succeeds_becomes_a_link(turn: Turn, until: Until, source: str | None) -> None:
    port, engine, tasks = make(turn, source)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        port.connect(Connect(7, 1, address))
        await until(lambda: 7 in engine.toys)
        other, _ = server.accept()
        with other:
            other.setblocking(False)
            await until(lambda: not engine.toys[7].to_send)
            assert other.recv(100) == b"hello"
            link = engine.toys[7].link
            assert link is not None
            assert link.address == address
            link.close()
    await tasks.close()


async def test_a_refused_dial_is_told(turn: Turn, until: Until) -> None:
    port, engine, tasks = make(turn)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = Address("127.0.0.1", server.getsockname()[1])
    port.connect(Connect(7, 1, closed))
    await until(lambda: 7 in engine.failures)
    assert engine.failures[7].kind is LossKind.REFUSED
    await tasks.close()


async def test_a_dial_without_an_answer_is_given_up(turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "DIAL_SECONDS", 0.05)
    port, engine, tasks = make(turn)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = Address("127.0.0.1", server.getsockname()[1])
        for ticket in range(8):  # the queue of those who were not accepted is full after a few
            port.connect(Connect(ticket, 1, address))
        await until(lambda: len(engine.toys) + len(engine.failures) == 8)
        assert {loss.kind for loss in engine.failures.values()} == {LossKind.TIMED_OUT}
        for toy in engine.toys.values():
            assert toy.link is not None
            toy.link.close()
    await tasks.close()


@pytest.mark.parametrize(
    ("source", "target"),
    [("192.0.2.1", Address("127.0.0.1", 1)), ("127.0.0.1", Address("::1", 1)), (None, Address("255.255.255.255", 1))],
)
async def test_what_the_system_does_not_allow_is_told(
    turn: Turn, until: Until, source: str | None, target: Address
) -> None:
    port, engine, tasks = make(turn, source)
    port.connect(Connect(7, 1, target))
    await until(lambda: 7 in engine.failures)
    assert engine.toys == {}
    await tasks.close()


async def test_without_descriptors_a_dial_fails_in_our_words(
    turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    port, engine, tasks = make(turn)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", full)
        port.connect(Connect(7, 1, Address("127.0.0.1", 1)))
        await until(lambda: 7 in engine.failures)
    assert engine.failures[7] == LinkLost(LossKind.UNREACHABLE, "Too many open files")
    await tasks.close()


async def test_a_dial_that_is_given_up_ends_without_a_word_and_frees_its_socket(
    turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialed: list[socket.socket] = []

    async def never(sock: socket.socket, _: object) -> None:
        dialed.append(sock)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    port, engine, tasks = make(turn)
    port.give_up(GiveUp(6))
    port.connect(Connect(7, 1, Address("127.0.0.1", 1)))
    await until(lambda: bool(dialed))
    assert dialed[0].fileno() >= 0
    port.give_up(GiveUp(7))
    await until(lambda: dialed[0].fileno() < 0)
    assert (engine.toys, engine.failures) == ({}, {})
    await tasks.close()


async def test_closing_ends_dials_under_way_without_a_word(turn: Turn) -> None:
    port, engine, tasks = make(turn)
    port.connect(Connect(7, 1, Address("192.0.2.1", 1)))
    await asyncio.sleep(0)
    await tasks.close()
    assert engine.toys == {}


async def test_a_dial_through_a_proxy_becomes_a_link(turn: Turn, until: Until) -> None:
    async with serving(listen) as place, running(Proxy()) as proxy:
        engine, tasks = Engine(), Tasks()
        route = Route(proxied=Proxied(proxy.server))
        port = SystemNet(asyncio.get_running_loop(), turn, engine, tasks, route)  # type: ignore[arg-type]  # as in make()
        port.connect(Connect(7, 1, Address(*place)))
        await until(lambda: 7 in engine.toys)
        link = engine.toys[7].link
        assert link is not None
        assert link.address == Address(*place)
        assert proxy.asked == [place]
        link.close()
        await tasks.close()


async def test_a_dial_that_a_proxy_can_not_make_is_told(turn: Turn, until: Until) -> None:
    async with saying(b"\5\0\5\5\0\1\0\0\0\0\0\0") as server:
        engine, tasks = Engine(), Tasks()
        route = Route(proxied=Proxied(server))
        port = SystemNet(asyncio.get_running_loop(), turn, engine, tasks, route)  # type: ignore[arg-type]  # as in make()
        port.connect(Connect(7, 1, Address("192.0.2.1", 1)))
        await until(lambda: 7 in engine.failures)
        assert engine.failures[7].kind is LossKind.REFUSED
        await tasks.close()


async def test_a_proxy_that_can_not_be_used_is_tried_again_and_costs_the_peer_nothing(
    turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "PROXY_RETRY_SECONDS", 0.01)
    async with serving(listen) as place, saying(b"\5\xff") as server:
        engine, tasks = Engine(), Tasks()
        route = Route(proxied=Proxied(server))
        port = SystemNet(asyncio.get_running_loop(), turn, engine, tasks, route)  # type: ignore[arg-type]  # as in make()
        port.connect(Connect(7, 1, Address(*place)))
        assert route.proxying is not None
        await until(lambda: route.proxying is not None and route.proxying.trouble is not None)
        async with running(Proxy()) as proxy:
            route.proxying.server = proxy.server
            await until(lambda: 7 in engine.toys)
            assert engine.failures == {}
            link = engine.toys[7].link
            assert link is not None
            link.close()
        await tasks.close()


async def listen(reader: Reader, _: Writer) -> None:
    await reader.read()


class Utp:
    def __init__(self) -> None:
        self.said: list[Connect | GiveUp] = []

    def connect(self, wish: Connect) -> None:
        self.said.append(wish)

    def give_up(self, wish: GiveUp) -> None:
        self.said.append(wish)


async def test_a_dial_over_utp_is_left_to_it(turn: Turn) -> None:
    utp = Utp()
    net = SystemNet(asyncio.get_running_loop(), turn, Engine(), Tasks(), Route(), utp)  # type: ignore[arg-type]  # nothing is asked of it
    wishes = [Connect(7, 1, Address("127.0.0.1", 9), Transport.UTP), GiveUp(7)]
    net.connect(wishes[0])  # type: ignore[arg-type]  # of one list
    net.give_up(wishes[1])  # type: ignore[arg-type]  # likewise
    assert utp.said == wishes
