from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.wire.datagrams import MAX_BURST, MAX_BURST_BYTES
from bittern.wire.utp.bursts import data_bursts, payload, row
from bittern.wire.utp.packet import DATA, HEAD, STATE, Packet, encode, pack_prefix, parse

THERE = Address("10.0.0.2", 7)


def packet(seq: int, **fields: int) -> Packet:
    return Packet(DATA, 9, 1, 2, 3, seq, 4, 0, HEAD)._replace(**fields)


@given(st.integers(0, 0xFFFF), st.integers(1, 20_000), st.integers(1, 1500))
def test_a_burst_is_the_packets_one_after_the_other(first: int, length: int, size: int) -> None:
    data = bytes(at * 7 & 255 for at in range(length))
    bursts = data_bursts(THERE, pack_prefix(1, 0, 9, 1, 2, 3), 4, first, memoryview(data), size)
    datagrams = []
    for burst in bursts:
        whole = b"".join(burst.buffers)
        parts = [whole[at : at + burst.segment] for at in range(0, len(whole), burst.segment)]
        assert len(whole) <= max(MAX_BURST_BYTES, HEAD + size)
        assert len(parts) <= MAX_BURST
        datagrams += parts
    expected = [
        encode(packet(first + number & 0xFFFF), data[at : at + size])
        for number, at in enumerate(range(0, length, size))
    ]
    assert datagrams == expected


@given(st.integers(0, 0xFFFF), st.integers(1, 60), st.integers(1, 50), st.integers(1, 50))
def test_a_row_is_known_and_its_payload_joined(first: int, count: int, size: int, last: int) -> None:
    parts = [bytes((number,)) * size for number in range(count - 1)] + [b"z" * min(last, size)]
    datagrams = [encode(packet(first + number & 0xFFFF, stamp=number), part) for number, part in enumerate(parts)]
    data = memoryview(b"".join(datagrams))
    assert row(data, HEAD + size) == count
    assert payload(data, HEAD + size) == b"".join(parts)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(8, 10), st.sampled_from((DATA, STATE))), min_size=2, max_size=4)
)
def test_only_data_of_one_connection_without_a_gap_is_a_row(packets: list[tuple[int, int, int]]) -> None:
    data = b"".join(encode(packet(seq, connection=ident, kind=kind), b"abc") for seq, ident, kind in packets)
    first, ident, _ = packets[0]
    expected = [(first + number, ident, DATA) for number in range(len(packets))]
    assert row(memoryview(data), HEAD + 3) == (len(packets) if packets == expected else 0)


def test_a_rest_that_is_no_packet_is_no_row() -> None:
    data = encode(packet(1), b"abc") + encode(packet(2), b"abc")
    assert row(memoryview(data), HEAD + 3) == 2
    for rest in range(HEAD + 1):
        assert row(memoryview(data + bytes(rest)), HEAD + 3) == (0 if rest else 2)


def test_packets_with_extensions_are_looked_at_one_by_one() -> None:
    data = encode(packet(1, selective=1), b"abc") + encode(packet(2, selective=1), b"abc")
    assert parse(memoryview(data)) is not None
    assert row(memoryview(data), len(data) // 2) == 0
