import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import BencodeError
from bittern.codec.bencode import (
    INTEGER_MAX,
    INTEGER_MIN,
    Limits,
    Value,
    decode,
    decode_prefix,
    decode_spans,
    encode,
)

values: st.SearchStrategy[Value] = st.recursive(
    st.integers(INTEGER_MIN, INTEGER_MAX) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"4:spam", b"spam"),
        (b"0:", b""),
        (b"i3e", 3),
        (b"i-3e", -3),
        (b"i0e", 0),
        (b"i9223372036854775807e", INTEGER_MAX),
        (b"i-9223372036854775808e", INTEGER_MIN),
        (b"l4:spam4:eggse", [b"spam", b"eggs"]),
        (b"d3:cow3:moo4:spam4:eggse", {b"cow": b"moo", b"spam": b"eggs"}),
        (b"d4:spaml1:a1:bee", {b"spam": [b"a", b"b"]}),
        (b"le", []),
        (b"de", {}),
        (b"d0:i1e1:ai2ee", {b"": 1, b"a": 2}),
        (b"300:" + bytes(300), bytes(300)),
    ],
)
def test_examples_of_bep_3(data: bytes, value: Value) -> None:
    assert decode(data) == value
    assert encode(value) == data


@given(values)
def test_decode_is_the_inverse_of_encode(value: Value) -> None:
    assert decode(encode(value)) == value
    assert decode(encode(value), strict=False) == value


@given(st.binary(max_size=60) | st.text("0123456789:ilde-", max_size=30).map(str.encode))
def test_strict_accepts_canonical_bencode_only(data: bytes) -> None:
    value: Value | None = None
    with suppress(BencodeError):
        value = decode(data)
    assert value is None or encode(value) == data


@given(values, st.data())
def test_any_truncation_is_refused(value: Value, data: st.DataObject) -> None:
    whole = encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for strict in (True, False):
        with pytest.raises(BencodeError):
            decode(whole[:cut], strict=strict)


@given(values, st.binary(max_size=20))
def test_prefix_tells_how_much_it_took(value: Value, tail: bytes) -> None:
    raw = encode(value)
    assert decode_prefix(raw + tail) == (value, len(raw))


@given(st.dictionaries(st.binary(max_size=5), values, max_size=6))
def test_spans_hold_the_raw_bytes_of_each_value(value: dict[bytes, Value]) -> None:
    raw = encode(value)
    decoded, spans = decode_spans(raw)
    assert decoded == value
    assert {key: decode(raw[span]) for key, span in spans.items()} == value


BAD_INTEGERS = [
    *(b"i1_0e", b"i 1e", b"i1 e", b"i+1e", b"i--1e", b"i-e", b"ie", b"i1.5e", b"i0x1e"),
    *(b"i\xd9\xa1e", b"i\xc2\xb2e"),  # digits to str.isdigit, not to us
    *(b"1_0:0123456789", b"+1:a", b" 1:a", b"-1:a", b"\xd9\xa1:a", b":"),
]
MALFORMED = [
    *(b"", b"e", b"l", b"d", b"x", b"1", b"1a", b"i1", b"li1e", b"lde"),
    *(b"di1ei2ee", b"d1:a", b"d1:ae", b"d1:a1:be1", b"dle1:ae", b"d1:ai1ei2ee"),
]


@pytest.mark.parametrize("data", BAD_INTEGERS + MALFORMED)
def test_malformed_input_is_refused(data: bytes) -> None:
    with pytest.raises(BencodeError) as caught:
        decode(data)
    assert 0 <= caught.value.offset <= len(data)


@pytest.mark.parametrize("data", BAD_INTEGERS)
def test_integers_are_ascii_digits_in_lenient_mode_too(data: bytes) -> None:
    with pytest.raises(BencodeError):
        decode(data, strict=False)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"d1:bi1e1:ai2ee", {b"a": 2, b"b": 1}),
        (b"d1:ai1e1:ai2ee", {b"a": 1}),
        (b"d1:bi1e1:ai2e1:bi3ee", {b"a": 2, b"b": 1}),
        (b"i03e", 3),
        (b"i-0e", 0),
        (b"01:a", b"a"),
        (b"i1e\r\n", 1),
    ],
)
def test_what_only_lenient_mode_accepts(data: bytes, value: Value) -> None:
    assert decode(data, strict=False) == value
    with pytest.raises(BencodeError):
        decode(data)


@pytest.mark.parametrize("repeat", [b"d1:ai1e1:ai2ee", b"d1:bi1e1:ai2e1:bi3ee", b"ld1:ai1e1:ai1eee"])
def test_equal_keys_inside_a_unique_value_are_refused_even_when_lenient(repeat: bytes) -> None:
    data = b"d4:info" + repeat + b"e"
    assert decode_spans(data, strict=False)
    with pytest.raises(BencodeError, match="twice"):
        decode_spans(data, strict=False, unique=(b"info",))
    with pytest.raises(BencodeError, match="twice"):
        decode(data, strict=False, unique=True)


def test_a_unique_key_itself_may_not_appear_twice() -> None:
    data = b"d4:infode3:foode4:infodee"
    assert decode_spans(data, strict=False)[1][b"info"] == slice(7, 9)
    with pytest.raises(BencodeError, match="twice"):
        decode_spans(data, strict=False, unique=(b"info",))


@pytest.mark.parametrize("data", [b"i1e", b"le", b"", b"1:a"])
def test_spans_are_of_a_dictionary(data: bytes) -> None:
    with pytest.raises(BencodeError):
        decode_spans(data, strict=False)


@pytest.mark.parametrize("data", [b"99999999:", b"9223372036854775807:a", b"d99999999:a", b"d1:a99999999:"])
def test_a_length_is_not_believed_before_the_bytes_are_there(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BencodeError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "number",
    [INTEGER_MAX + 1, INTEGER_MIN - 1, 10**19, 10**30, 10**4000],
    ids=lambda number: f"{number.bit_length()} bits",
)
def test_integers_are_64_bit_signed(number: int) -> None:
    with pytest.raises(BencodeError):
        decode(b"i%de" % number)
    with pytest.raises(ValueError, match="64 bits"):
        encode(number)


def test_depth_is_bounded_and_needs_no_recursion() -> None:
    assert decode(b"l" * 100 + b"e" * 100)
    for data in (b"l" * 101 + b"e" * 101, b"l" * 1_000_000, b"d1:a" * 1_000_000):
        with pytest.raises(BencodeError, match="deep"):
            decode(data)
    with pytest.raises(BencodeError, match="deep"):
        decode_spans(b"d1:a" + b"l" * 100 + b"e" * 101)
    assert decode_spans(b"d1:a" + b"l" * 99 + b"e" * 100)


def test_tokens_and_size_are_bounded() -> None:
    limits = Limits(tokens=10, size=100)
    assert decode(b"l" + b"i1e" * 9 + b"e", limits=limits)
    for data in (b"l" + b"i1e" * 10 + b"e", b"l" + b"de" * 10 + b"e", b"99:" + bytes(99)):
        with pytest.raises(BencodeError, match="more than"):
            decode(data, limits=limits)
    with pytest.raises(BencodeError, match="more than 10 values"):
        decode_spans(b"d1:al" + b"i1e" * 10 + b"ee", limits=limits)
    with pytest.raises(BencodeError, match="more than 10 values"):
        decode_spans(b"d" + b"".join(b"1:%ci1e" % letter for letter in b"abcdefg") + b"e", limits=limits)


def test_encode_takes_text_bytes_like_and_tuples() -> None:
    assert encode({"b": bytearray(b"x"), b"a": ("é", memoryview(b"y"))}) == b"d1:al2:\xc3\xa91:ye1:b1:xe"


@pytest.mark.parametrize("value", [None, True, 1.5, {1: b"a"}, {b"a": None}, [False], {1, 2}, {b"a": 1, 2: 3}])
def test_encode_refuses_other_types(value: object) -> None:
    with pytest.raises(TypeError):
        encode(value)


def test_encode_refuses_what_could_not_be_decoded() -> None:
    with pytest.raises(ValueError, match="as str"):
        encode({"a": 1, b"a": 2})
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(ValueError, match="deep"):
        encode(nested)
    assert decode(encode(nested[0])) == nested[0]


def test_large_strings_decode_without_looking_at_their_bytes() -> None:
    pieces = b"e" * 2_000_000
    assert decode(b"d6:pieces2000000:" + pieces + b"e") == {b"pieces": pieces}
