import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire import donthave


@given(st.integers(0, 2**32 - 1))
def test_what_is_encoded_is_parsed(piece: int) -> None:
    assert donthave.parse(memoryview(donthave.encode(piece))) == piece


@pytest.mark.parametrize("size", [0, 3, 5])
def test_any_other_length_is_an_offence(size: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        donthave.parse(bytes(size))
    assert caught.value.offence is Offence.BAD_EXTENSION
