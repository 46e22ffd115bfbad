import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import GatewayError
from bittern.wire import pcp
from bittern.wire.pcp import Carrier, Mapped, Refused

NONCE = bytes(range(12))
HEAD = "0281 0000 00001c20 00000010" + "00" * 12
BODY = NONCE.hex() + "06000000 1234 5678" + "00" * 10 + "ffff c6336407"


def test_a_question_has_the_form_of_rfc_6887() -> None:
    asked = pcp.ask_mapping("192.168.1.2", NONCE, Carrier.TCP, 0x1234, 0x5678, 7200)
    ours = "00" * 10 + "ffff c0a80102"
    nowhere = "00" * 10 + "ffff 00000000"
    expected = "0201 0000 00001c20" + ours + NONCE.hex() + "06000000 1234 5678" + nowhere
    assert asked == bytes.fromhex(expected)
    six = pcp.ask_mapping("2001:db8::1", NONCE, Carrier.UDP, 1, 0, 0)
    assert (six[8:12].hex(), six[36], six[-16:]) == ("20010db8", 17, bytes(16))


def test_answers_are_read() -> None:
    mapped = Mapped(16, 7200, NONCE, Carrier.TCP, 0x1234, 0x5678, "198.51.100.7")
    assert pcp.parse(bytes.fromhex(HEAD + BODY)) == mapped
    refused = pcp.parse(bytes.fromhex("0281 000c 00000258 00000010" + "00" * 12 + BODY))
    assert refused == Refused(12, 600, NONCE)
    assert "one more router" in str(refused)
    assert str(Refused(99, 0, b"")) == "the router refused (PCP result 99)"
    assert pcp.parse(bytes.fromhex("0281 0008 00000258 00000010" + "00" * 12)) == Refused(8, 600, b"")


@pytest.mark.parametrize(
    "data",
    [
        "",
        HEAD,
        HEAD[:31],
        "01" + HEAD[2:] + BODY,
        "0201" + HEAD[4:] + BODY,
        HEAD + BODY + "00" * 1100,
        HEAD + BODY.replace("06000000", "07000000"),
        HEAD + BODY.replace("1234", "0000"),
    ],
)
def test_what_makes_no_sense_is_refused(data: str) -> None:
    with pytest.raises(GatewayError):
        pcp.parse(bytes.fromhex(data))


def test_the_version_of_an_answer_is_seen_before_it_is_read() -> None:
    assert pcp.version_of(bytes.fromhex(HEAD)) == 2
    assert pcp.version_of(bytes.fromhex("0081 0001 00000010")) == 0
    assert pcp.version_of(bytes.fromhex("0201 0000")) == -1
    assert pcp.version_of(b"") == -1


@given(st.ip_addresses(), st.sampled_from(Carrier), *[st.integers(1, 65535)] * 2, *[st.integers(1, 2**32 - 1)] * 2)
def test_an_answer_comes_back_as_it_was_meant(
    there: object, carrier: Carrier, port: int, external: int, life: int, epoch: int
) -> None:
    asked = pcp.ask_mapping(str(there), NONCE, carrier, port, external, life, str(there))
    answer = struct.pack("!BBBBII12x", 2, 0x81, 0, 0, life, epoch) + asked[24:]
    said = pcp.parse(answer)
    assert isinstance(said, Mapped)
    assert (said.nonce, said.carrier, said.port, said.external_port) == (NONCE, carrier, port, external)
    assert (said.epoch, said.lifetime) == (epoch, life)
    assert asked == pcp.ask_mapping(str(there), NONCE, carrier, port, external, life, said.external_host)


@given(st.binary(max_size=80) | st.binary(min_size=58, max_size=58).map(lambda data: b"\x02\x81" + data))
def test_junk_is_refused_or_in_bounds(data: bytes) -> None:
    try:
        said = pcp.parse(data)
    except GatewayError:
        return
    assert not isinstance(said, Mapped) or said.port
