"""Messages of the holepunch extension (BEP 55)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.holepunch import Holepunch, HolepunchError, HolepunchKind

FOUR, SIX = Address("192.0.2.7", 0x1AE1), Address("2001:db8::7", 51413)
ADDRESSES = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(), st.integers(0, 65535))
MESSAGES = st.one_of(
    st.builds(Holepunch, st.sampled_from([HolepunchKind.RENDEZVOUS, HolepunchKind.CONNECT]), ADDRESSES),
    st.builds(Holepunch, st.just(HolepunchKind.ERROR), ADDRESSES, st.sampled_from(HolepunchError)),
)


def test_the_messages_have_the_form_of_bep_55() -> None:
    assert Holepunch(HolepunchKind.RENDEZVOUS, FOUR).encode() == b"\x00\x00\xc0\x00\x02\x07\x1a\xe1" + bytes(4)
    connect = Holepunch(HolepunchKind.CONNECT, SIX).encode()
    assert connect == b"\x01\x01\x20\x01\x0d\xb8" + bytes(11) + b"\x07\xc8\xd5" + bytes(4)
    refusal = Holepunch(HolepunchKind.ERROR, FOUR, HolepunchError.NO_SUPPORT).encode()
    assert refusal == b"\x02\x00\xc0\x00\x02\x07\x1a\xe1\x00\x00\x00\x03"


@given(MESSAGES)
def test_what_was_written_is_read(message: Holepunch) -> None:
    assert Holepunch.parse(message.encode()) == message


@given(MESSAGES, st.binary(max_size=4))
def test_what_follows_a_message_is_not_looked_at(message: Holepunch, rest: bytes) -> None:
    assert Holepunch.parse(memoryview(message.encode() + rest)) == message


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_only_an_error_must_say_which(address: Address) -> None:
    for kind in (HolepunchKind.RENDEZVOUS, HolepunchKind.CONNECT):
        assert Holepunch.parse(Holepunch(kind, address).encode()[:-4]) == Holepunch(kind, address)
    with pytest.raises(RemoteProtocolError) as caught:
        Holepunch.parse(Holepunch(HolepunchKind.ERROR, address, HolepunchError.NO_SELF).encode()[:-4])
    assert caught.value.offence is Offence.BAD_EXTENSION


def test_an_error_that_nobody_knows_is_an_error_all_the_same() -> None:
    payload = b"\x02\x00\xc0\x00\x02\x07\x1a\xe1\x00\x00\x01\x03"
    assert Holepunch.parse(payload) == Holepunch(HolepunchKind.ERROR, FOUR)


@pytest.mark.parametrize("payload", [b"\x03\x00" + bytes(10), b"\x00\x02" + bytes(10), b"\xff\xff"])
def test_kinds_and_families_that_nobody_knows_are_passed_over(payload: bytes) -> None:
    assert Holepunch.parse(payload) is None


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x00" + bytes(5), b"\x01\x01" + bytes(17)])
def test_what_is_too_short_is_an_offence(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Holepunch.parse(payload)
    assert caught.value.offence is Offence.BAD_EXTENSION
