import errno
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.io import capabilities
from bittern.io.batches import BatchWriter
from bittern.io.bursts import BurstSender
from bittern.wire.datagrams import Burst, Cut

linux = pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        one.setblocking(False)
        other.bind(("127.0.0.1", 0))
        other.setblocking(False)
        yield one, other


@pytest.fixture(autouse=True)
def _no_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for a socket here has no number: see test_batches."""
    monkeypatch.setattr(capabilities, "BATCHES", False)


class Moody:
    """A socket that fails as told, then sends.

    Attributes:
        moods: what each call to come does: raise this number, or send where it is 0.
        sent: whether with one call, and the bytes.
    """

    family = socket.AF_INET

    def __init__(self, *moods: int) -> None:
        self.moods = list(moods)
        self.sent: list[tuple[bool, bytes]] = []
        self.options: list[int] = []

    def sendmsg(self, buffers: Any, control: Any, flags: int, address: Address) -> int:
        mood = self.moods.pop(0) if self.moods else 0
        if mood:
            raise OSError(mood, "told so")
        data = b"".join(buffers)
        self.sent.append((bool(control), data))
        return len(data)

    def sendto(self, data: bytes, address: Address) -> int:
        return self.sendmsg([data], (), 0, address)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append(value)


def sender(sock: Any) -> BurstSender:
    return BurstSender(sock)


def burst(datagrams: list[bytes], segment: int, to: Address | None = None, cut: Cut = Cut.HERE) -> Burst:
    """With a header and a payload each, as uTP has them."""
    buffers = [part for each in datagrams for part in (each[:2], memoryview(each)[2:])]
    return Burst(to or Address("127.0.0.1", 9), buffers, segment, cut)


THREE = [b"aaaa", b"bbbb", b"cc"]
SINGLY = [(False, each) for each in THREE]
AS_ONE = [(True, b"".join(THREE))]


@pytest.mark.parametrize(
    ("gathers", "batches"),
    [pytest.param(True, False, marks=linux), pytest.param(False, True, marks=linux), (False, False)],
)
def test_a_burst_arrives_as_its_datagrams(
    pair: tuple[socket.socket, socket.socket], *, gathers: bool, batches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", gathers)
    monkeypatch.setattr(capabilities, "BATCHES", batches)
    one, other = pair
    datagrams = [bytes([number]) * 1200 for number in range(40)] + [b"short"]
    sender(one).send(burst(datagrams, 1200, Address(*other.getsockname())))
    assert [other.recv(2000) for _ in datagrams] == datagrams
    with pytest.raises(BlockingIOError):
        other.recv(2000)


@linux
def test_many_go_with_one_call_and_one_without_ceremony() -> None:
    sock = Moody()
    sender(sock).send(burst(THREE, 4))
    sender(sock).send(burst([b"alone"], 5))
    assert sock.sent == [*AS_ONE, (False, b"alone")]


@linux
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP])
def test_where_the_system_refuses_the_first_they_go_singly_from_then_on(number: int) -> None:
    sock = Moody(number, number)  # twice: the first time it may have meant another datagram
    out = sender(sock)
    out.send(burst(THREE, 4))
    out.send(burst(THREE, 4))
    assert sock.sent == SINGLY * 2
    assert not out.gathers


@linux
def test_a_card_that_fails_later_is_believed_and_a_burst_that_is_too_long_is_not_held_against_it() -> None:
    sock = Moody(0, errno.EINVAL, errno.EINVAL, 0, 0, 0, 0, errno.EIO, errno.EIO)
    out = sender(sock)
    for _ in range(3):
        out.send(burst(THREE, 4))
    assert sock.sent == [*AS_ONE, *SINGLY, *AS_ONE]
    out.send(burst(THREE, 4))
    out.send(burst(THREE, 4))
    assert sock.sent[5:] == SINGLY * 2


@linux
def test_where_nobody_can_be_reached_the_system_is_not_to_blame() -> None:
    sock = Moody(*[errno.ENETUNREACH] * 4)
    out = sender(sock)
    with pytest.raises(OSError, match="told so"):
        out.send(burst(THREE, 4))
    out.send(burst(THREE, 4))
    assert sock.sent == AS_ONE


def test_news_about_an_earlier_datagram_does_not_stop_this_one() -> None:
    sock = Moody(errno.ECONNREFUSED)
    sender(sock).put((b"x",), Address("127.0.0.1", 9))
    assert sock.sent == [(False, b"x")]


def test_without_room_nothing_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for gathers in (capabilities.SEGMENTS, False):
        monkeypatch.setattr(capabilities, "SEGMENTS", gathers)
        sock = Moody(errno.EAGAIN)
        out = sender(sock)
        with pytest.raises(BlockingIOError):
            out.send(burst(THREE, 4))
        assert sock.sent == []
        out.send(burst(THREE, 4))
        assert b"".join(data for _, data in sock.sent) == b"".join(THREE)


def test_what_has_gone_in_part_goes_on_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", False)
    sock = Moody(0, errno.EAGAIN, errno.EAGAIN)
    out = sender(sock)
    out.send(burst(THREE, 4))
    assert sock.sent == SINGLY[:1]
    with pytest.raises(BlockingIOError):
        out.send(burst([b"later"], 5))
    with pytest.raises(BlockingIOError):
        out.resume()
    out.resume()
    out.send(burst([b"later"], 5))
    assert sock.sent == [*SINGLY, (False, b"later")]


def test_what_fails_in_the_middle_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", False)
    sock = Moody(0, errno.EPERM, errno.EPERM)
    sender(sock).send(burst(THREE, 4))
    assert sock.sent == SINGLY[:1]


@linux
def test_what_must_stay_whole_is_sent_so_and_nothing_after_it() -> None:
    sock = Moody(errno.EMSGSIZE, errno.EMSGSIZE)
    with pytest.raises(OSError, match="told so"):
        sender(sock).send(burst([b"probe"], 5, cut=Cut.NEVER))
    assert sock.options == [2, 1]  # IP_PMTUDISC_DO, IP_PMTUDISC_WANT


@linux
def test_what_must_get_there_may_be_cut_by_routers_and_nothing_after_it() -> None:
    sock = Moody()
    sender(sock).send(burst(THREE, 4, cut=Cut.ANYWHERE))
    assert sock.sent == SINGLY
    assert sock.options == [0, 1]  # IP_PMTUDISC_DONT, IP_PMTUDISC_WANT


@linux
def test_by_ipv6_what_must_get_there_is_cut_at_once_to_what_every_path_carries() -> None:
    sock = Moody()
    sock.family = socket.AF_INET6
    sender(sock).send(burst(THREE, 4, cut=Cut.ANYWHERE))
    assert sock.sent == SINGLY
    assert sock.options == [1280, 0]  # IPV6_MTU


def test_where_several_buffers_can_not_be_sent_they_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "SENDMSG", False)
    sock = Moody()
    sender(sock).send(burst(THREE, 4))
    assert sock.sent == SINGLY


@linux
def test_what_one_call_does_not_take_goes_on_when_there_is_room(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "SEGMENTS", False)
    monkeypatch.setattr(capabilities, "BATCHES", True)
    one, other = pair
    there = Address(*other.getsockname())
    datagrams = [bytes([number]) * 1200 for number in range(40)]
    moods: list[int | None] = [errno.ECONNREFUSED, 7]  # news about an earlier one, then so many go
    real = BatchWriter.write

    def write(self: BatchWriter, sock: socket.socket, data: bytes, segment: int, address: Address) -> int:
        mood = moods.pop(0)
        if mood == errno.ECONNREFUSED:
            raise OSError(mood, "told so")
        return real(self, sock, data[: mood * segment] if mood else data, segment, address)

    def full(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(BatchWriter, "write", write)
    out = sender(one)
    with monkeypatch.context() as patched:
        patched.setattr(BurstSender, "_put", full)
        out.send(burst(datagrams, 1200, there))
        with pytest.raises(BlockingIOError):
            out.send(burst(datagrams, 1200, there))
    out.resume()
    assert [other.recv(2000) for _ in datagrams] == datagrams
