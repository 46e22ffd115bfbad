import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import GatewayError
from bittern.wire import natpmp
from bittern.wire.natpmp import Mapped, OurAddress, Refused
from bittern.wire.pcp import Carrier


def test_questions_have_the_form_of_rfc_6886() -> None:
    assert natpmp.ask_address() == bytes.fromhex("0000")
    assert natpmp.ask_mapping(Carrier.UDP, 0x1234, 0x5678, 7200) == bytes.fromhex("0001 0000 1234 5678 00001c20")
    assert natpmp.ask_mapping(Carrier.TCP, 1, 0, 0) == bytes.fromhex("0002 0000 0001 0000 00000000")


def test_answers_are_read() -> None:
    assert natpmp.parse(bytes.fromhex("0080 0000 00000010 c6336407")) == OurAddress(16, "198.51.100.7")
    mapped = natpmp.parse(bytes.fromhex("0082 0000 00000010 1234 5678 00001c20"))
    assert mapped == Mapped(16, Carrier.TCP, 0x1234, 0x5678, 7200)
    taken_back = natpmp.parse(bytes.fromhex("0081 0000 00000010 1234 0000 00000000"))
    assert taken_back == Mapped(16, Carrier.UDP, 0x1234, 0, 0)
    refused = natpmp.parse(bytes.fromhex("0081 0002 00000010"))
    assert (refused, str(refused)) == (Refused(2, Carrier.UDP), "the router does not allow it")
    assert str(Refused(77, None)) == "the router refused (NAT-PMP result 77)"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "00",
        "0000 0000",
        "0180 0000 00000010 c6336407",
        "0080 0000 00000010",
        "0083 0000 00000010 12345678 00001c20",
        "0082 0000 00000010 0000 5678 00001c20",
        "0082 0000 00000010 1234 0000 00001c20",
    ],
)
def test_what_makes_no_sense_is_refused(data: str) -> None:
    with pytest.raises(GatewayError):
        natpmp.parse(bytes.fromhex(data))


@given(st.sampled_from(Carrier), *[st.integers(1, 65535)] * 2, *[st.integers(1, 2**32 - 1)] * 2)
def test_an_answer_comes_back_as_it_was_meant(
    carrier: Carrier, port: int, external: int, life: int, epoch: int
) -> None:
    asked = natpmp.ask_mapping(carrier, port, external, life)
    answer = struct.pack("!BBHIHHI", 0, asked[1] + 128, 0, epoch, port, external, life)
    assert natpmp.parse(answer) == Mapped(epoch, carrier, port, external, life)


@given(st.binary(max_size=20))
def test_junk_is_refused_or_in_bounds(data: bytes) -> None:
    try:
        said = natpmp.parse(data)
    except GatewayError:
        return
    assert not isinstance(said, Mapped) or said.port
