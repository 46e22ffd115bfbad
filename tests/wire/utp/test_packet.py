from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.packet import (
    DATA,
    FIN,
    HEAD,
    MOST_SELECTIVE,
    PADDING,
    RESET,
    STATE,
    SYN,
    Packet,
    ahead,
    encode,
    micros,
    padding,
    parse,
    selective_ack,
)

SHORTS = st.integers(0, 0xFFFF)
LONGS = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    Packet,
    st.sampled_from((DATA, FIN, STATE, RESET, SYN)),
    SHORTS,
    LONGS,
    LONGS,
    LONGS,
    SHORTS,
    SHORTS,
    st.integers(0, (1 << 8 * MOST_SELECTIVE) - 1),
    st.just(0),
    st.just(0),
)


@given(PACKETS, st.binary(max_size=40))
def test_what_is_written_is_read_again(packet: Packet, payload: bytes) -> None:
    data = encode(packet, payload)
    read = parse(memoryview(data))
    assert read is not None
    body = len(data) - len(payload)
    assert read == packet._replace(body=body, span=8 * max(0, body - HEAD - 2))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    packet = parse(memoryview(data))
    if packet is not None:
        assert HEAD <= packet.body <= len(data)
        assert packet.kind <= SYN


def test_a_packet_as_the_specification_draws_it() -> None:
    packet = Packet(SYN, 0x1234, 1, 2, 3, 1, 0, 0, HEAD)
    assert encode(packet).hex() == "4100123400000001000000020000000300010000"


def test_the_lowest_bit_of_the_first_byte_is_two_after_the_acknowledged() -> None:
    data = bytes.fromhex("21010001" + "00" * 12 + "00010005000401000080")
    packet = parse(memoryview(data))
    assert packet is not None
    assert packet.selective == 1 | 1 << 31


def test_selective_acknowledgements_come_in_whole_words() -> None:
    assert selective_ack(0) == b""
    assert selective_ack(1) == bytes.fromhex("0004 01000000")
    assert selective_ack(1 << 32) == bytes.fromhex("0008 00000000 01000000")
    assert len(selective_ack(1 << 100_000)) == 2 + MOST_SELECTIVE


def test_unknown_extensions_are_skipped() -> None:
    head = bytes.fromhex("0177 0001" + "00" * 12 + "0001 0005")
    packet = parse(memoryview(head + bytes.fromhex("01 02 aaaa00 04 01000000") + b"payload"))
    assert packet is not None
    assert (packet.selective, packet.body) == (1, HEAD + 10)


def test_extensions_that_are_cut_make_no_packet() -> None:
    head = bytes.fromhex("0101 0001" + "00" * 12 + "0001 0005")
    assert parse(memoryview(head)) is None
    assert parse(memoryview(head + b"\0")) is None
    assert parse(memoryview(head + bytes.fromhex("0004 010000"))) is None


def test_other_versions_and_kinds_are_no_packets() -> None:
    rest = bytes(19)
    assert parse(memoryview(b"\x00" + rest)) is None
    assert parse(memoryview(b"\x02" + rest)) is None
    assert parse(memoryview(b"\x51" + rest)) is None
    assert parse(memoryview(b"\x01" + rest[1:])) is None


@given(st.integers(2, 2000) | st.just(0))
def test_padding_has_the_size_asked_for_and_says_nothing(size: int) -> None:
    filling = padding(size)
    assert len(filling) == size
    head = bytes((1, PADDING if size else 0)) + bytes(18)
    packet = parse(memoryview(head + filling + b"x"))
    assert packet is not None
    assert (packet.selective, packet.body) == (0, HEAD + size)


def test_a_padded_packet_that_was_cut_is_none() -> None:
    """Who reads less than was sent does not take the rest for all of it."""
    data = bytes((1, PADDING)) + bytes(18) + padding(1000) + bytes(64)
    assert all(parse(memoryview(data)[:size]) is None for size in range(HEAD, HEAD + 1000))


def test_time_stamps_wrap_and_are_never_unknown() -> None:
    assert micros(1.5) == 1_500_000
    assert micros(0.0) == 1
    assert micros((1 << 32) / 1e6 + 2) == 2_000_000


@given(SHORTS, st.integers(-0x8000, 0x7FFF))
def test_numbers_are_compared_round_the_corner(number: int, distance: int) -> None:
    assert ahead((number + distance) & 0xFFFF, number) == distance
