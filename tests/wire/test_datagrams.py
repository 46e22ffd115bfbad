from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.codec.bencode import Value, encode
from bittern.wire.datagrams import Burst, Cut, Kind, all_utp, datagrams_of, kind_of

PACKET = bytes(19)


def test_a_dictionary_is_of_the_distributed_hash_table() -> None:
    assert kind_of(b"d1:y1:qe") is Kind.DHT


@given(st.dictionaries(st.binary(), st.integers(-(2**63), 2**63 - 1) | st.binary()))
def test_so_is_any_dictionary(message: dict[bytes, Value]) -> None:
    assert kind_of(encode(message)) is Kind.DHT


def test_five_types_of_version_one_are_utp() -> None:
    assert [kind_of(bytes([first]) + PACKET) for first in (0x01, 0x11, 0x21, 0x31, 0x41)] == [Kind.UTP] * 5
    for first in (0x51, 0x02, 0xF1, 0x71):
        assert kind_of(bytes([first]) + PACKET) is Kind.UNKNOWN


def test_what_is_shorter_than_a_header_is_no_utp() -> None:
    assert kind_of(b"\x01" + PACKET[:-1]) is Kind.UNKNOWN


@given(st.integers(0, 255), st.binary(max_size=30))
def test_an_action_in_four_bytes_is_a_tracker(action: int, rest: bytes) -> None:
    assert kind_of(action.to_bytes(4) + rest) is Kind.TRACKER


def test_nothing_is_nothing() -> None:
    assert kind_of(b"") is Kind.UNKNOWN
    assert kind_of(b"\0\0") is Kind.UNKNOWN


@given(st.binary(max_size=40))
def test_a_view_is_what_its_bytes_are(data: bytes) -> None:
    assert kind_of(memoryview(data)) is kind_of(data)


@given(st.lists(st.sampled_from([0x01, 0x11, 0x21, 0x31, 0x41, 0x64, 0x00, 0x51]), min_size=1), st.integers(20, 60))
def test_of_several_in_one_each_is_looked_at(firsts: list[int], segment: int) -> None:
    each = [bytes([first]).ljust(segment, b"d") for first in firsts]
    data = b"".join(each)[: -segment // 2 or None] if len(each) > 1 else each[0]
    assert all_utp(memoryview(data), segment) == all(kind_of(one) is Kind.UTP for one in each)


def test_a_burst_is_cut_by_our_own_system_at_most_unless_it_says_otherwise() -> None:
    assert Burst(Address("192.0.2.1", 1), [b"x"], 1).cut is Cut.HERE


@given(st.lists(st.binary(max_size=50), min_size=1), st.integers(1, 40))
def test_a_burst_is_taken_apart_where_its_datagrams_end(buffers: list[bytes], segment: int) -> None:
    apart = [b"".join(each) for each in datagrams_of(Burst(Address("192.0.2.1", 1), buffers, segment))]
    whole = b"".join(buffers)
    assert apart == [whole[at : at + segment] for at in range(0, len(whole), segment)] or [apart, whole] == [[b""], b""]
