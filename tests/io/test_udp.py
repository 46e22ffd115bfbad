"""One UDP port over real sockets of this machine."""

import asyncio
import errno
import socket
import sys
from contextlib import closing
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.io import capabilities
from bittern.io.batches import BATCH, BatchReader, BatchWriter
from bittern.io.bursts import BurstSender
from bittern.io.udp import BATCHES_AT_ONCE, READS_AT_ONCE, UdpPort, bind
from bittern.wire.datagrams import Burst, Kind
from tests.io.conftest import Until

linux = pytest.mark.skipif(sys.platform != "linux", reason="others neither gather nor complain")
PACKET = b"\x01".ljust(20, b"u")


class Party:
    """Receives and sends, and writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, int, Address]] = []
        self.turns = self.room = 0
        self.nobody: list[Address] = []
        self.long: list[tuple[Address, int]] = []

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        self.heard.append((bytes(data), segment, source))

    def caught_up(self, now: float) -> None:
        self.turns += 1

    def writable(self, now: float) -> None:
        self.room += 1

    def refused(self, address: Address, now: float) -> None:
        self.nobody.append(address)

    def too_big(self, address: Address, size: int, now: float) -> None:
        self.long.append((address, size))

    @property
    def data(self) -> bytes:
        return b"".join(data for data, *_ in self.heard)


def joined(host: str = "127.0.0.1") -> tuple[UdpPort, Party]:
    port, party = bind(host, 0), Party()
    port.join(Kind.UTP, party)
    port.watch(party)
    return port, party


@pytest.fixture
def closed() -> Address:
    """Where nobody is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return Address(*sock.getsockname())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("gathers", "batches", "reads"),
    [pytest.param(True, True, 1, marks=linux), pytest.param(False, True, 2, marks=linux), (False, False, 21)],
)
async def test_a_burst_comes_as_it_went(
    host: str, *, gathers: bool, batches: bool, reads: int, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", gathers)
    monkeypatch.setattr(capabilities, "BATCHES", batches)
    (one, _), (other, there) = joined(host), joined(host)
    with closing(one), closing(other):
        buffers = [PACKET, bytes(580)] * 20 + [PACKET]
        assert one.send_burst(Burst(other.address, buffers, 600))
        await until(lambda: len(there.data) == 12020)
        assert there.data == b"".join(buffers)
        assert {(segment, source) for _, segment, source in there.heard if segment != 20} == {(600, one.address)}
        assert len(there.heard) == reads


async def test_a_port_reads_one_by_one_where_it_can_not_gather(until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGMENTS", "RECVMSG_INTO", "BATCHES"):
        monkeypatch.setattr(capabilities, name, False)
    (one, _), (other, there) = joined(), joined()
    with closing(one), closing(other):
        for _ in range(3):
            one.send(PACKET, other.address)
        await until(lambda: len(there.heard) == 3)
        assert there.heard == [(PACKET, 20, one.address)] * 3


async def test_where_a_call_for_many_is_forbidden_they_are_read_and_sent_one_by_one(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a sandbox."""

    def forbidden(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no such call")

    monkeypatch.setattr(capabilities, "SEGMENTS", False)
    monkeypatch.setattr(BatchReader, "read", forbidden)
    monkeypatch.setattr(BatchWriter, "write", forbidden)
    (one, _), (other, there) = joined(), joined()
    with closing(one), closing(other):
        for _ in range(2):
            assert one.send_burst(Burst(other.address, [PACKET, bytes(580)] * 10, 600))
        await until(lambda: len(there.heard) == 20)
        assert there.turns == 1


@pytest.mark.parametrize(
    ("batches", "most"), [pytest.param(True, 1 + BATCHES_AT_ONCE * BATCH, marks=linux), (False, READS_AT_ONCE)]
)
async def test_others_of_the_loop_have_their_turn_between_reads(
    until: Until, *, batches: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "BATCHES", batches)
    (one, _), (other, there) = joined(), joined()
    with closing(one), closing(other):
        for number in range(2 * most + 1):
            one.send(PACKET + bytes(500 + number), other.address)  # each of another length: nothing is gathered
        await until(lambda: len(there.heard) == 2 * most + 1)
        assert there.turns == 3


async def test_one_port_serves_all_kinds_and_ends_with_the_last(until: Until) -> None:
    (one, _), (other, there) = joined(), joined()
    dht = Party()
    with closing(one):
        other.join(Kind.DHT, dht)
        one.send(b"d1:y1:qe", other.address)
        one.send(PACKET, other.address)
        await until(lambda: bool(there.heard and dht.heard))
        assert (dht.data, there.data) == (b"d1:y1:qe", PACKET)
        other.leave(Kind.UTP)
        one.send(PACKET, other.address)
        one.send(b"d1:y1:re", other.address)
        await until(lambda: len(dht.heard) == 2)
        assert len(there.heard) == 1
        other.leave(Kind.DHT)
        bind("127.0.0.1", other.address.port).close()
        other.send(b"into nothing", one.address)
        assert other.send_burst(Burst(one.address, [PACKET], 20))


async def test_who_is_told_may_close_the_port(until: Until) -> None:
    (one, _), (other, there) = joined(), joined()

    class Leaver(Party):
        def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
            super().receive(data, segment, source, now)
            other.close()

    leaver = Leaver()
    other.join(Kind.UTP, leaver)
    with closing(one):
        for number in range(3):
            one.send(PACKET + bytes(number), other.address)
        await until(lambda: bool(leaver.heard))
        await asyncio.sleep(0)
        assert len(leaver.heard) == 1
        assert there.heard == []


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_network_says_that_nobody_is_there(host: str, until: Until) -> None:
    one, party = joined(host)
    other, there = joined(host)
    gone = other.address
    other.close()
    third, friend = joined(host)
    with closing(one), closing(third):
        assert one.send_burst(Burst(gone, [PACKET], 20))
        one.send(PACKET, third.address)  # which hears of the refusal, and goes all the same
        await until(lambda: bool(party.nobody and friend.heard))
        assert party.nobody == [gone]
        assert there.heard == []


@linux
async def test_a_port_without_a_sender_does_not_turn_round_complaints(
    closed: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[UdpPort] = []
    real = UdpPort._readable

    def count(self: UdpPort) -> None:
        woken.append(self)
        real(self)

    monkeypatch.setattr(UdpPort, "_readable", count)
    port, party = bind("127.0.0.1", 0), Party()
    port.join(Kind.DHT, party)
    with closing(port):
        port.send(b"d1:y1:qe", closed)
        await asyncio.sleep(0.05)
        assert len(woken) in (1, 2)


async def test_what_the_system_can_not_send_its_sender_hears_at_once(closed: Address) -> None:
    port, party = joined()
    with closing(port):
        assert port.send_burst(Burst(Address("127.0.0.1", 9), [PACKET, bytes(66_000)], 66_020))
        assert party.long == [(Address("127.0.0.1", 9), 66_020)]
        nowhere = Address("192.0.2.1", 9)  # not from 127.0.0.1
        assert port.send_burst(Burst(nowhere, [PACKET], 20))
        assert party.nobody == [nowhere]
        with pytest.raises(OSError, match="long"):
            port.send(bytes(70_000), closed)


async def test_without_room_a_sender_waits_and_is_told(until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    (one, party), (other, there) = joined(), joined()
    full = [True]
    real = BurstSender._put

    def put(self: BurstSender, buffers: list[bytes], address: Address, segment: int) -> None:
        if full[0]:
            raise BlockingIOError(errno.EAGAIN, "no room")
        real(self, buffers, address, segment)

    monkeypatch.setattr(BurstSender, "_put", put)
    with closing(one), closing(other):
        burst = Burst(other.address, [PACKET] * 3, 20)
        assert not one.send_burst(burst)
        full[0] = False
        await until(lambda: party.room == 1)
        assert one.send_burst(burst)
        await until(lambda: there.data == PACKET * 3)
        assert party.room == 1


async def test_a_port_leads_to_its_family_and_from_loopback_to_loopback_alone() -> None:
    here, there = Address("127.0.0.9", 1), Address("192.0.2.1", 1)
    with closing(bind("127.0.0.1", 0)) as local, closing(bind("0.0.0.0", 0)) as all_of_four:
        assert (local.reaches(here), local.reaches(there), local.reaches(Address("::1", 1))) == (True, False, False)
        assert (all_of_four.reaches(here), all_of_four.reaches(there)) == (True, True)
    with closing(bind("::1", 0)) as six:
        assert (six.reaches(Address("::1", 1)), six.reaches(Address("2001:db8::1", 1))) == (True, False)


async def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(NetworkError, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0)


@pytest.fixture(scope="module")
def uvloop() -> Any:
    """The module, with what it opens once for the whole process."""
    found = pytest.importorskip("uvloop")
    found.new_event_loop().close()
    return found


def test_another_loop_is_not_disturbed_by_complaints(uvloop: Any, closed: Address) -> None:
    async def there_and_back() -> None:
        (one, party), (other, there) = joined(), joined()
        with closing(one), closing(other):
            one.send(PACKET, closed)
            async with asyncio.timeout(5):
                for count in range(1, 4):
                    one.send(PACKET, other.address)
                    other.send(PACKET, one.address)
                    while len(party.data) < 20 * count or len(there.data) < 20 * count:  # noqa: ASYNC110 - they tell nobody
                        await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(there_and_back())
