import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import BencodeError
from bittern.codec.bencode import encode
from bittern.tools.lab.decode import bencode_to_json

PLAIN = st.recursive(
    st.text(max_size=20) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(PLAIN)
def test_the_json_says_what_the_bencoding_says(value: object) -> None:
    shown = bencode_to_json(encode(value))
    assert json.loads(shown) == value
    assert all(" " <= char <= "~" for char in shown)


@given(st.binary(max_size=40))
def test_junk_raises_only_our_error(data: bytes) -> None:
    try:
        shown = bencode_to_json(data)
    except BencodeError as error:
        assert error.offset <= len(data)  # noqa: PT017 - some junk is valid
    else:
        json.loads(shown)


def test_keys_stay_in_the_order_in_which_they_came() -> None:
    assert bencode_to_json(b"d1:bi1e1:ai2ee") == '{"b":1,"a":2}'


def test_bytes_that_are_no_text_stay_recognisable() -> None:
    assert bencode_to_json(b"3:a\xff\x1b") == '"a\\\\xff\\u001b"'


def test_a_second_value_is_refused() -> None:
    with pytest.raises(BencodeError, match="bytes after the value at byte 3"):
        bencode_to_json(b"i1ei2e")
