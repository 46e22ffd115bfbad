"""Datagrams are read in batches, with their senders."""

import socket

import pytest

from bittern.base.address import Address
from bittern.io.route import DIRECT
from bittern.io.sockets import datagrams

DATAGRAM = socket.SOCK_DGRAM


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_come_with_their_senders_as_many_as_are_wanted_and_not_longer(host: str) -> None:
    with DIRECT.bound(host, 0, DATAGRAM) as here, DIRECT.bound(host, 0, DATAGRAM) as there:
        for number in range(5):
            there.sendto(bytes([number]) * (number + 1), here.getsockname())
        sender = Address(host, there.getsockname()[1])
        first = list(datagrams(here, 2))
        assert first == [(b"\0", sender), (b"\1\1", sender)]
        assert [data for data, _ in datagrams(here, 9, longest=3)] == [b"\2" * 3, b"\3" * 3, b"\4" * 3]
        assert list(datagrams(here, 9)) == []


def test_news_of_a_datagram_that_came_back_are_no_datagram() -> None:
    with DIRECT.bound("127.0.0.1", 0, DATAGRAM) as gone:
        nobody = gone.getsockname()
    with DIRECT.bound("127.0.0.1", 0, DATAGRAM) as here:
        here.connect(nobody)
        here.send(b"is anybody there")
        assert list(datagrams(here, 3)) == []
