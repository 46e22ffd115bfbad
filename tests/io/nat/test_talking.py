import asyncio
import socket
import time

from bittern.engine.nat.lease import wishes_for
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.talking import Talking
from bittern.io.route import DIRECT
from tests.engine.nat.router import Router
from tests.io.conftest import Until

from .toy import GATEWAY, HOST, datagram_router

PORT = 4321


def talking(port: int, told: list[int], gateway: Gateway = GATEWAY) -> Talking:
    sock = DIRECT.reaching(gateway.host, socket.SOCK_DGRAM)
    return Talking(sock, gateway, HOST, wishes_for(PORT, PORT), lambda: told.append(1), port)


async def test_ports_are_mapped_and_taken_back(until: Until) -> None:
    router, told = Router("nat-pmp"), list[int]()
    async with datagram_router(router) as port:
        ours = talking(port, told)
        await until(lambda: len(ours.leases) == 2)
        assert len(router.held) == 2
        await ours.close(2.0)
    assert router.held == {}
    assert told


async def test_a_router_at_an_address_of_one_link_is_asked_too(on_link: str, until: Until) -> None:
    """As those for IPv6 are, nearly all."""
    router = Router("pcp")
    async with datagram_router(router, on_link) as port:
        gateway = Gateway(on_link, on_link.partition("%")[2])
        sock = DIRECT.reaching(gateway.host, socket.SOCK_DGRAM)
        ours = Talking(sock, gateway, on_link, wishes_for(PORT, PORT), lambda: None, port)
        await until(lambda: len(ours.leases) == 2)
        await ours.close(2.0)
    assert router.held == {}


async def test_a_router_where_nobody_listens_is_known_at_once(until: Until) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]
    ours = talking(port, [])
    await until(lambda: ours.unreachable)
    ours.stop()
    ours.stop()


async def test_a_router_that_fell_silent_is_not_waited_for_longer_than_allowed(until: Until) -> None:
    router = Router("pcp")
    async with datagram_router(router) as port:
        ours = talking(port, [])
        await until(lambda: len(ours.leases) == 2)
    began = time.monotonic()
    await ours.close(0.3)
    assert time.monotonic() - began < 10.0  # it would be asked for ever


async def test_what_another_sends_does_not_arrive(until: Until) -> None:
    """A forged grant from another port of the same host: the socket is connected."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as silent, socket.socket(type=socket.SOCK_DGRAM) as forger:
        silent.bind((HOST, 0))
        silent.setblocking(False)
        sock = DIRECT.reaching(HOST, socket.SOCK_DGRAM)
        ours = Talking(sock, GATEWAY, HOST, wishes_for(PORT, 0), lambda: None, silent.getsockname()[1])
        question, who = await loop.sock_recvfrom(silent, 2000)
        answer = Router("pcp").answer(question, 1.0)
        assert answer is not None
        forger.sendto(answer, who)
        await loop.sock_recvfrom(silent, 2000)  # asked again: the forged one had been there before
        assert ours.leases == ()
        silent.sendto(answer, who)
        await until(lambda: len(ours.leases) == 1)
        ours.stop()
