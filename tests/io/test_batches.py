import socket
import sys
from random import Random

import pytest

from bittern.base.address import Address
from bittern.io.batches import BATCH, WORTH_A_SLOT, BatchReader, BatchWriter
from tests.io.bound import Bound, at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others read one by one")


def read(reader: BatchReader, sock: socket.socket, slot: int) -> list[tuple[bytes, int, Address]]:
    return [(bytes(data), segment, source) for data, segment, source in reader.read(sock, slot)]


def apart(rows: list[tuple[bytes, int, Address]]) -> list[tuple[bytes, Address]]:
    return [
        (data[n : n + segment], source) for data, segment, source in rows for n in range(0, len(data), segment or 1)
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_has_one_length_and_one_source_comes_as_one(bound: Bound, host: str) -> None:
    here, there, other = bound(host), bound(host), bound(host)
    sent = [bytes([n]) * 1000 for n in range(10)] + [b"short"]
    for data in sent:
        there.sendto(data, at(here))
    other.sendto(b"o" * 1000, at(here))
    there.sendto(b"t" * 1000, at(here))
    rows = read(BatchReader(), here, 1000)
    assert rows == [
        (b"".join(sent), 1000, at(there)),
        (b"o" * 1000, 1000, at(other)),
        (b"t" * 1000, 1000, at(there)),
    ]


def test_what_is_longer_than_was_expected_comes_whole(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    sent = [b"a" * 300, Random(1).randbytes(30_000), b"", b"b" * 301, b"c" * 300, b"d" * 299, b"e" * 300]
    for data in sent:
        there.sendto(data, at(here))
    rows = read(BatchReader(), here, 300)
    assert apart(rows) == [(data, at(there)) for data in sent if data]
    assert [segment for _, segment, _ in rows] == [300, 30_000, 0, 301, 300, 300]


def test_the_length_that_is_expected_may_change(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    reader, chance = BatchReader(), Random(2)
    for _ in range(30):
        sent = [chance.randbytes(chance.choice((20, 500, 1472, 9000))) for _ in range(chance.randrange(1, 12))]
        for data in sent:
            there.sendto(data, at(here))
        assert apart(read(reader, here, len(sent[0]))) == [(data, at(there)) for data in sent]


def test_a_batch_has_an_end_and_the_rest_waits(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    sent = [b"%04d" % number * 100 for number in range(BATCH + 3)]
    for data in sent:
        there.sendto(data, at(here))
    reader = BatchReader()
    assert read(reader, here, 400) == [(b"".join(sent[:BATCH]), 400, at(there))]
    assert read(reader, here, 400) == [(b"".join(sent[BATCH:]), 400, at(there))]
    with pytest.raises(BlockingIOError):
        reader.read(here, 400)


def test_short_ones_come_alone(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    for _ in range(3):
        there.sendto(b"a" * (WORTH_A_SLOT - 1), at(here))
    assert read(BatchReader(), here, WORTH_A_SLOT - 1) == [(b"a" * 255, 255, at(there))] * 3


def test_what_the_system_has_gathered_stays_gathered(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    here.setsockopt(17, 104, 1)  # UDP_GRO
    reader = BatchReader()
    for _ in range(2):
        data = Random(3).randbytes(5 * 1200 + 7)
        there.sendmsg([data], [(17, 103, (1200).to_bytes(2, sys.byteorder))], 0, at(here))  # UDP_SEGMENT
        there.sendto(b"x" * 1200, at(here))
        rows = read(reader, here, 1200)
        assert rows == [(data, 1200, at(there)), (b"x" * 1200, 1200, at(there))]


def test_news_about_what_was_sent_are_an_error_that_comes_once(bound: Bound) -> None:
    here, gone = bound("127.0.0.1"), bound("127.0.0.1")
    nobody = at(gone)
    gone.close()
    here.connect(nobody)
    here.send(b"is anybody there")
    reader = BatchReader()
    with pytest.raises(ConnectionRefusedError):
        reader.read(here, 100)
    with pytest.raises(BlockingIOError):
        reader.read(here, 100)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_written_with_one_call_comes_as_its_datagrams(bound: Bound, host: str) -> None:
    here, there, other = bound(host), bound(host), bound(host)
    writer, chance = BatchWriter(), Random(4)
    for target, size, segment in ((there, 6500, 1000), (other, 10, 1000), (there, 3, 1)):
        data = chance.randbytes(size)
        assert writer.write(here, data, segment, at(target)) == -(-size // segment)
        for begin in range(0, size, segment):
            assert target.recvfrom(2000)[0] == data[begin : begin + segment]


def test_no_more_are_written_than_a_call_takes(bound: Bound) -> None:
    here, there = bound("127.0.0.1"), bound("127.0.0.1")
    assert BatchWriter().write(here, bytes(100 * (BATCH + 5)), 100, at(there)) == BATCH


def test_what_can_not_be_written_is_an_error(bound: Bound) -> None:
    here = bound("127.0.0.1")
    with pytest.raises(OSError, match="EINVAL"):
        BatchWriter().write(here, b"xy", 1, Address("192.0.2.1", 9))  # not from loopback
    with pytest.raises(OSError, match="EMSGSIZE"):
        BatchWriter().write(here, bytes(70_000), 70_000, Address("127.0.0.1", 9))
