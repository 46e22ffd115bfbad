import asyncio
import socket

import pytest

from bittern.base.address import Address
from bittern.io.doors import Doors
from bittern.io.route import DIRECT
from bittern.io.turn import Turn
from bittern.io.udp import UdpPort, bind, bound_socket
from bittern.wire.datagrams import Kind
from tests.io.conftest import Until
from tests.io.test_tcp import Door

HOST = "127.0.0.1"


class Heard:
    """Datagrams that came."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        self.data.append(bytes(data))

    def caught_up(self, now: float) -> None:
        pass


def listening(port: int = 0) -> socket.socket:
    return DIRECT.bound(HOST, port, socket.SOCK_STREAM)


async def test_doors_are_shut_and_opened_elsewhere_and_the_ports_stay_the_same(turn: Turn, until: Until) -> None:
    door, heard, port = Door(), Heard(), bind(HOST, 0)
    port.join(Kind.DHT, heard)
    doors = Doors(asyncio.get_running_loop(), turn, [listening()], [port], door.accepted, tcp=True)
    assert (doors.hosts, doors.datagram_hosts, doors.local, doors.are_open) == ((HOST,), (HOST,), True, True)
    with socket.create_connection((HOST, doors.port)):
        await until(lambda: len(door.toys) == 1)
    before, udp_before = doors.port, doors.datagram_port
    doors.shut()
    assert not doors.are_open
    assert (doors.port, doors.datagram_port) == (before, udp_before)  # to be opened there again
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, before))
    port.send(b"d1:ae", port.address)  # as if it were lost
    doors.open([listening()], [bound_socket(HOST, 0, DIRECT)])
    assert doors.port != before
    with socket.create_connection((HOST, doors.port)), socket.socket(type=socket.SOCK_DGRAM) as sock:
        await until(lambda: len(door.toys) == 2)
        sock.sendto(b"d1:be", (HOST, doors.datagram_port))
        await until(lambda: heard.data == [b"d1:be"])
        port.send(b"d1:ce", Address(*sock.getsockname()))
        sock.settimeout(5)
        assert await asyncio.to_thread(sock.recv, 100) == b"d1:ce"
    doors.close()
    assert isinstance(port, UdpPort)
    port.close()
    door.close()


async def test_where_there_is_no_tcp_the_port_is_kept_but_nobody_gets_in(turn: Turn) -> None:
    doors = Doors(asyncio.get_running_loop(), turn, [listening()], (), Door().accepted, tcp=False)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, doors.port))
    assert doors.datagram_port == 0
    doors.close()
