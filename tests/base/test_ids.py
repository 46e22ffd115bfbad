import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1, InfoHashV2, PeerId


@given(st.binary(max_size=40))
def test_identifiers_take_exactly_their_size(raw: bytes) -> None:
    for kind, size in ((InfoHashV1, 20), (InfoHashV2, 32), (PeerId, 20)):
        if len(raw) == size:
            assert kind(raw) == kind(bytearray(raw)) == kind(memoryview(raw)) == raw
        else:
            with pytest.raises(LocalProtocolError):
                kind(raw)


@given(st.binary(min_size=20, max_size=20))
def test_hex_is_the_text_form(raw: bytes) -> None:
    info_hash = InfoHashV1(raw)
    assert InfoHashV1.from_hex(str(info_hash)) == InfoHashV1.from_hex(str(info_hash).upper()) == info_hash
    assert repr(info_hash) == f"InfoHashV1({raw.hex()})"


@pytest.mark.parametrize("text", ["x" * 40, "0", "é" * 40])
def test_what_is_not_hexadecimal_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        InfoHashV1.from_hex(text)


def test_the_wire_form_of_a_v2_hash_is_its_head() -> None:
    truncated = InfoHashV2(bytes(range(32))).truncated()
    assert truncated == bytes(range(20))
    assert type(truncated) is InfoHashV1
