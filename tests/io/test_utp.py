"""uTP over real ports of this machine."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.effects import Connect, GiveUp
from bittern.io import capabilities
from bittern.io.bursts import BurstSender
from bittern.io.chance import SeededChance
from bittern.io.route import DIRECT, Route
from bittern.io.turn import Turn
from bittern.io.udp import bind
from bittern.io.udp_ports import Ports, UdpPorts
from bittern.io.utp import UtpNet
from bittern.wire.stream import Buffer, Link, LinkLost, LossKind
from tests.io.conftest import Until
from tests.sim.toys import Toy

DATA = Random(1).randbytes(3_000_000)
linux = pytest.mark.skipif(sys.platform != "linux", reason="others are told nothing by the network")


class End:
    """A core with its ports."""

    def __init__(self, turn: Turn, hosts: tuple[str, ...] = ("127.0.0.1",), route: Route = DIRECT) -> None:
        loop = asyncio.get_running_loop()
        self.came: list[Toy] = []
        self.went: dict[int, Toy] = {}
        self.failed: dict[int, LinkLost] = {}
        self.to_send = b""
        self.shunned = ""
        self.streams: list[type[Toy]] = []  # of who comes
        self.udp = UdpPorts(loop, turn, self, Ports(route, tuple(bind(host, 0) for host in hosts)))
        self.utp = UtpNet(loop, turn, self.udp, self, SeededChance(1).rng_for)

    @property
    def address(self) -> Address:
        return self.udp.ports[0].address

    def accepted(self, link: Link, now: float) -> Toy:
        toy = (self.streams.pop() if self.streams else Toy)(self.to_send, (100_000,))
        toy.link = link
        self.came.append(toy)
        return toy

    def turns_away(self, host: str) -> bool:
        return host == self.shunned

    def connected(self, ticket: int, link: Link, now: float) -> Toy:
        toy = self.went[ticket] = Toy(self.to_send, (100_000,))
        toy.link = link
        return toy

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        self.failed[ticket] = reason

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        raise AssertionError

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        raise AssertionError

    def close(self) -> None:
        self.utp.close()
        self.udp.close()


Ends = Callable[..., End]


@pytest.fixture
def ends(turn: Turn) -> Iterator[Ends]:
    made: list[End] = []

    def make(hosts: tuple[str, ...] = ("127.0.0.1",), route: Route = DIRECT) -> End:
        made.append(End(turn, hosts, route))
        return made[-1]

    yield make
    for end in made:
        end.close()


def call(one: End, address: Address, ticket: int = 7) -> None:
    one.utp.connect(Connect(ticket, 1, address, Transport.UTP))


async def test_of_a_port_that_nobody_knows_nothing_is_left_when_it_is_cut(ends: Ends, until: Until) -> None:
    one, other = ends(("::1",)), ends()
    for ticket in range(3):
        call(one, other.address, ticket)
        await until(lambda ticket=ticket: ticket in one.went)  # type: ignore[misc]
        one.udp.cut()
        one.utp.cut()
        assert len(one.utp._ports) == 1
        assert len(one.utp) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("gathers", [True, False])
async def test_bytes_arrive_in_order_both_ways(
    ends: Ends, until: Until, host: str, monkeypatch: pytest.MonkeyPatch, *, gathers: bool
) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", capabilities.SEGMENTS and gathers)
    one, other = ends((host,)), ends((host,))
    one.to_send, other.to_send = DATA, DATA[::-1]
    call(one, other.address)
    await until(lambda: bool(other.came) and len(other.came[0].got) == len(one.went[7].got) == len(DATA))
    assert bytes(other.came[0].got) == DATA
    assert bytes(one.went[7].got) == DATA[::-1]
    link, back = one.went[7].link, other.came[0].link
    assert link is not None
    assert back is not None
    assert (link.transport, link.address, back.address) == (Transport.UTP, other.address, one.address)


async def test_one_port_carries_many_connections(ends: Ends, until: Until) -> None:
    one, other = ends(), ends()
    other.to_send = b"to each of you"
    for ticket in range(30):
        call(one, other.address, ticket)
    await until(lambda: len(one.went) == 30 and all(toy.got == other.to_send for toy in one.went.values()))
    assert (len(one.utp), len(other.utp), len(one.udp.ports)) == (30, 30, 1)


async def test_both_ends_hear_of_the_end(ends: Ends, until: Until) -> None:
    one, other = ends(), ends()
    one.to_send = b"last words"
    call(one, other.address)
    await until(lambda: 7 in one.went and not one.went[7].to_send)
    link = one.went[7].link
    assert link is not None
    link.close()
    await until(lambda: bool(other.came) and other.came[0].loss is not None)
    assert (bytes(other.came[0].got), other.came[0].loss) == (b"last words", LinkLost(LossKind.CLOSED))
    await until(lambda: len(one.utp) == len(other.utp) == 0)
    assert one.went[7].loss is None


async def test_who_goes_away_says_so(ends: Ends, until: Until) -> None:
    one, other = ends(), ends()
    call(one, other.address)
    await until(lambda: 7 in one.went)
    await until(lambda: bool(other.came))
    one.close()
    await until(lambda: other.came[0].loss is not None)


@linux
async def test_where_nobody_is_it_is_said_at_once(ends: Ends, until: Until) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        closed = Address(*sock.getsockname())
    one = ends()
    async with asyncio.timeout(0.9):  # before a SYN is repeated
        call(one, closed)
        await until(lambda: 7 in one.failed)
    assert one.failed[7].kind is LossKind.REFUSED


async def test_an_address_that_can_not_be_reached_from_here_is_a_failure(ends: Ends, until: Until) -> None:
    one = ends(("127.0.0.1",), Route("127.0.0.1"))
    call(one, Address("::1", 9), 1)
    assert one.failed == {}  # answers come later
    call(one, Address("192.0.2.1", 9), 2)
    await until(lambda: len(one.failed) == 2)


async def test_a_call_that_is_given_up_leads_nowhere(ends: Ends) -> None:
    one, other = ends(), ends()
    call(one, other.address)
    one.utp.give_up(GiveUp(7))
    one.utp.give_up(GiveUp(8))
    await asyncio.sleep(0.1)
    assert (one.went, one.failed, other.came, len(one.utp)) == ({}, {}, [], 0)


async def test_without_room_in_the_system_it_goes_on_when_there_is_some(
    ends: Ends, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, real = Random(3), BurstSender._put

    def put(self: BurstSender, buffers: list[Buffer], address: Address, segment: int) -> None:
        if chance.random() < 0.3:
            raise BlockingIOError
        real(self, buffers, address, segment)

    monkeypatch.setattr(BurstSender, "_put", put)
    one, other = ends(), ends()
    one.to_send = DATA
    call(one, other.address)
    await until(lambda: bool(other.came) and len(other.came[0].got) == len(DATA))
    assert bytes(other.came[0].got) == DATA


async def test_a_bug_in_a_stream_costs_no_other_connection(ends: Ends, until: Until) -> None:
    class Broken(Toy):
        def received(self, count: int, now: float) -> None:
            raise KeyError("a bug")

    class Mute(Toy):
        def send_buffers(self, limit: int) -> Sequence[Buffer]:
            raise KeyError("another")

    class Unwilling(Toy):
        def __init__(self, *_: object) -> None:
            raise KeyError("a third")

    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: said.append(about["message"]))
    one, other = ends(), ends()
    other.streams = [Toy, Broken, Unwilling, Mute, Toy]
    one.to_send = DATA
    for ticket in range(5):
        call(one, other.address, ticket)
    await until(lambda: sum(bytes(toy.got) == DATA for toy in other.came) == 2 and len(one.utp) == len(other.utp) == 2)
    assert sorted(toy.loss.kind.name for toy in one.went.values() if toy.loss is not None) == ["RESET"] * 3
    assert [toy.loss for toy in other.came if type(toy) is not Toy] == [
        LinkLost(LossKind.ABORTED, "internal error"),
    ] * 2
    assert said == [f"a connection at {other.address} broke"] * 3


async def test_who_is_turned_away_gets_no_answer_at_all(ends: Ends, until: Until) -> None:
    """Not even that there is nobody for it: nothing is sent to an address that the IP filter blocks."""
    one, other, third = ends(), ends(("127.0.0.2",)), ends(("127.0.0.3",))
    other.shunned = "127.0.0.1"
    call(one, other.address)
    call(other, third.address)
    await until(lambda: 7 in other.went)
    assert not one.went
    assert not other.came
