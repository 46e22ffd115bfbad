import errno
import socket
import struct
import sys

import pytest

from bittern.base.address import Address
from bittern.io import capabilities
from bittern.io.complaints import Complaint, ask_for_complaints, complaint_of, complaints
from tests.io.bound import Bound, at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others keep no complaints")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_port_is_told_once(bound: Bound, host: str) -> None:
    ours, gone = bound(host), bound(host)
    closed = at(gone)
    gone.close()
    ask_for_complaints(ours)
    ours.sendto(b"hello?", closed)  # over loopback the answer is there when this returns
    assert list(complaints(ours)) == [Complaint(closed, None)]
    assert list(complaints(ours)) == []


def told(number: int, largest: int) -> bytes:
    return struct.pack("=IBBBxII", number, 2, 3, 4, largest, 0) + bytes(16)


def test_what_is_too_long_is_told_with_the_length_that_is_not() -> None:
    four, six = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)
    long = told(errno.EMSGSIZE, 1400)
    assert complaint_of(socket.AF_INET, [(*four, long)], ("192.0.2.1", 7)) == (Address("192.0.2.1", 7), 1372)
    assert complaint_of(socket.AF_INET6, [(*six, long)], ("fe80::1%eth0", 7)) == (Address("fe80::1", 7), 1352)
    assert complaint_of(socket.AF_INET, [(*four, told(errno.EMSGSIZE, 3))], ("192.0.2.1", 7)) == (("192.0.2.1", 7), 0)


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
def test_a_network_without_a_way_there_is_as_a_closed_port(number: int) -> None:
    control = [(socket.IPPROTO_IP, 11, told(number, 0))]
    assert complaint_of(socket.AF_INET, control, ("192.0.2.1", 7)) == (Address("192.0.2.1", 7), None)


def test_what_is_no_complaint_or_names_nobody_is_none() -> None:
    value = told(errno.ECONNREFUSED, 0)
    there = ("192.0.2.1", 7)
    for control, name in (
        ([(socket.IPPROTO_IP, 11, value)], ("192.0.2.1", 0)),
        ([(socket.IPPROTO_IP, 11, value)], None),
        ([(socket.IPPROTO_IP, 8, value)], there),
        ([(socket.IPPROTO_IP, 11, value[:15])], there),
        ([(socket.IPPROTO_IP, 11, told(errno.EPROTO, 0))], there),
        ([], there),
    ):
        assert complaint_of(socket.AF_INET, control, name) is None


def test_who_can_not_ask_hears_none(bound: Bound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "ERROR_QUEUE", False)
    ours, gone = bound("127.0.0.1"), bound("127.0.0.1")
    ask_for_complaints(ours)
    closed = at(gone)
    gone.close()
    ours.sendto(b"hello?", closed)
    assert list(complaints(ours)) == []
