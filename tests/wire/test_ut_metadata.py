import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.codec.bencode import encode
from bittern.wire.extended import MAX_METADATA
from bittern.wire.ut_metadata import (
    MetadataData,
    MetadataMessage,
    MetadataReject,
    MetadataRequest,
    metadata_geometry,
    parse_metadata_message,
)

LAST_PIECE = (MAX_METADATA - 1) // 16384
NUMBERS = st.integers(0, LAST_PIECE)


@st.composite
def data_messages(draw: st.DrawFn) -> MetadataData:
    last = draw(st.integers(1, 300))
    return MetadataData(2, 2 * 16384 + last, draw(st.binary(min_size=last, max_size=last)))


MESSAGES: st.SearchStrategy[MetadataMessage] = st.one_of(
    st.builds(MetadataRequest, NUMBERS), st.builds(MetadataReject, NUMBERS), data_messages()
)


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (MetadataRequest(0), b"d8:msg_typei0e5:piecei0ee"),
        (MetadataReject(0), b"d8:msg_typei2e5:piecei0ee"),
        (MetadataData(1, 16387, b"xyz"), b"d8:msg_typei1e5:piecei1e10:total_sizei16387eexyz"),
    ],
)
def test_messages_have_the_bytes_of_bep_9(message: MetadataMessage, payload: bytes) -> None:
    assert message.encode() == payload
    assert parse_metadata_message(payload) == message


@given(MESSAGES)
def test_what_is_encoded_is_parsed_again(message: MetadataMessage) -> None:
    assert parse_metadata_message(memoryview(message.encode())) == message


@given(MESSAGES, st.data())
def test_every_truncation_is_refused(message: MetadataMessage, data: st.DataObject) -> None:
    payload = message.encode()
    keep = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(RemoteProtocolError) as caught:
        parse_metadata_message(payload[:keep])
    assert caught.value.offence is Offence.BAD_EXTENSION


@given(
    st.dictionaries(
        st.sampled_from(["msg_type", "piece", "total_size"]),
        st.integers(-3, 5) | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=4),
    ),
    st.binary(max_size=40),
)
def test_fields_of_any_value_give_a_message_in_bounds_or_our_error(said: dict[str, object], more: bytes) -> None:
    try:
        message = parse_metadata_message(encode(said) + more)
    except RemoteProtocolError:
        return
    if isinstance(message, MetadataData):
        assert bytes(message.block) == more
        assert metadata_geometry(message.total_size).piece_length(message.piece) == len(more)
    elif message is not None:
        assert 0 <= message.piece <= LAST_PIECE


@pytest.mark.parametrize(
    "payload",
    [
        encode({"msg_type": 1, "piece": 0, "total_size": 0}),
        encode({"msg_type": 1, "piece": 0, "total_size": MAX_METADATA + 1}) + bytes(16384),
        encode({"msg_type": 1, "piece": 1, "total_size": 3}) + b"xyz",
        encode({"msg_type": 1, "piece": 0, "total_size": 3}) + b"xyzz",
        encode({"msg_type": 1, "piece": 0}) + b"xyz",
        encode({"msg_type": 0, "piece": LAST_PIECE + 1}),
        encode({"msg_type": 0, "piece": -1}),
        encode({"msg_type": 0}),
        encode({"piece": 0}),
        encode([]),
    ],
)
def test_a_message_out_of_bounds_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_metadata_message(payload)
    assert caught.value.offence is Offence.BAD_EXTENSION


def test_an_unknown_type_is_to_be_ignored() -> None:
    assert parse_metadata_message(encode({"msg_type": 3, "piece": 0})) is None


@pytest.mark.parametrize("size", [0, -1, MAX_METADATA + 1])
def test_metadata_of_a_senseless_size_has_no_geometry(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        metadata_geometry(size)
