from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.bencode import encode
from bittern.wire.ut_pex import MOST, PexFlag, PexMessage

ANN, BOB, SIX = Address("10.0.0.1", 6881), Address("192.0.2.7", 51413), Address("2001:db8::7", 443)
PORTS = st.integers(0, 65535)
V4 = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(v=4), PORTS)
V6 = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(v=6), PORTS).filter(lambda a: a.is_ipv6)
FLAGS = st.integers(0, 31).map(PexFlag)
KEYS = st.sampled_from([b"added", b"added.f", b"added6", b"added6.f", b"dropped", b"dropped6"])
INTEGERS = st.integers(-(2**63), 2**63 - 1)  # what bencode holds here


@st.composite
def messages(draw: st.DrawFn) -> PexMessage:
    added = {
        **draw(st.dictionaries(V4, FLAGS, max_size=MOST)),
        **draw(st.dictionaries(V6, FLAGS, max_size=MOST)),
    }
    dropped = [*draw(st.lists(V4, max_size=5, unique=True)), *draw(st.lists(V6, max_size=5, unique=True))]
    return PexMessage(added, tuple([address for address in dropped if address not in added]))


def compact4(count: int) -> bytes:
    return b"".join(IPv4Address(0x0A000000 + number).packed + b"\x1a\xe1" for number in range(count))


def test_a_message_has_the_form_of_bep_11() -> None:
    message = PexMessage({ANN: PexFlag.SEED | PexFlag.REACHABLE}, (BOB,))
    payload = b"d5:added6:\x0a\x00\x00\x01\x1a\xe17:added.f1:\x127:dropped6:\xc0\x00\x02\x07\xc8\xd5e"
    assert message.encode() == payload
    assert PexMessage.parse(payload) == message


def test_both_address_families_have_lists_of_their_own() -> None:
    message = PexMessage({ANN: PexFlag.NONE, SIX: PexFlag.UTP}, ())
    payload = message.encode()
    assert b"6:added618:" + SIX.compact() + b"8:added6.f1:\x04" in payload
    assert PexMessage.parse(payload) == message
    assert PexMessage.parse(payload).listed == 2


@given(messages())
def test_what_is_encoded_is_parsed_again(message: PexMessage) -> None:
    again = PexMessage.parse(memoryview(message.encode()))
    assert dict(again.added) == dict(message.added)
    assert again.dropped == message.dropped
    assert again.listed == len(message.added) + len(message.dropped)


@given(messages(), st.data())
def test_every_truncation_is_refused(message: PexMessage, data: st.DataObject) -> None:
    payload = message.encode()
    keep = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(RemoteProtocolError) as caught:
        PexMessage.parse(payload[:keep])
    assert caught.value.offence is Offence.BAD_EXTENSION


@given(st.dictionaries(KEYS, st.binary(max_size=80) | INTEGERS | st.lists(st.binary(max_size=6), max_size=3)))
def test_fields_of_any_value_give_a_bounded_message_or_our_error(said: dict[bytes, object]) -> None:
    try:
        message = PexMessage.parse(encode(said))
    except RemoteProtocolError as error:
        assert error.offence is Offence.BAD_EXTENSION  # noqa: PT017 - some of it is valid
        return
    assert not set(message.added) & set(message.dropped)
    assert len(set(message.dropped)) == len(message.dropped)
    assert PexMessage.parse(message.encode()) == message


@pytest.mark.parametrize(("key", "size"), [(b"added", 6), (b"dropped", 6), (b"added6", 18), (b"dropped6", 18)])
def test_a_list_is_made_of_whole_addresses(key: bytes, size: int) -> None:
    for length in (1, size - 1, size + 1, 3 * size - 1):
        with pytest.raises(RemoteProtocolError):
            PexMessage.parse(encode({key: bytes(length)}))
    with pytest.raises(RemoteProtocolError):
        PexMessage.parse(encode({key: 7}))


@pytest.mark.parametrize("key", [b"added", b"dropped"])
def test_of_a_long_list_the_first_fifty_are_read_and_all_are_counted(key: bytes) -> None:
    message = PexMessage.parse(encode({key: compact4(1000)}))
    read = message.added if key == b"added" else message.dropped
    assert list(read) == [Address(f"10.0.0.{number}", 6881) for number in range(MOST)]
    assert message.listed == 1000


def test_no_more_than_fifty_of_a_family_are_sent() -> None:
    many = [Address(f"10.0.{number}.1", 1) for number in range(60)]
    again = PexMessage.parse(PexMessage(dict.fromkeys(many, PexFlag.NONE), ()).encode())
    assert list(again.added) == many[:MOST]


@pytest.mark.parametrize("flags", [b"", b"\x02", b"\x02\x02\x02", 5, [b"\x02"]])
def test_flags_that_are_not_one_for_each_address_are_absent(flags: object) -> None:
    message = PexMessage.parse(encode({b"added": compact4(2), b"added.f": flags}))
    assert set(message.added.values()) == {PexFlag.NONE}


def test_bits_of_no_meaning_are_ignored_and_the_first_word_on_an_address_counts() -> None:
    payload = encode({b"added": compact4(1) * 2, b"added.f": b"\xe2\x10", b"dropped": compact4(1)})
    assert PexMessage.parse(payload) == PexMessage({Address("10.0.0.0", 6881): PexFlag.SEED}, ())


def test_ipv4_in_the_clothes_of_ipv6_is_left_out() -> None:
    mapped = IPv6Address("::ffff:10.0.0.1").packed + b"\0\1"
    payload = encode({b"added6": mapped + SIX.compact(), b"added6.f": b"\1\2", b"dropped6": mapped})
    assert PexMessage.parse(payload) == PexMessage({SIX: PexFlag.SEED}, ())
