from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire import messages
from bittern.wire.hashes import (
    HASH_REJECT,
    HASH_REQUEST,
    HASHES,
    MAX_HASHES_BODY,
    MOST_PROOFS,
    Hashes,
    HashRange,
    HashReject,
    HashRequest,
)
from bittern.wire.messages import (
    AllowedFast,
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
    check_length,
    decode_message,
    max_body,
)

U32 = st.integers(0, 2**32 - 1)
RANGES = st.builds(
    lambda root, base, at, width, proofs: HashRange(root, base, at << width, 1 << width, proofs),
    st.binary(min_size=32, max_size=32),
    st.integers(0, MOST_PROOFS),
    st.integers(0, 1000),
    st.integers(0, 9),
    st.integers(0, MOST_PROOFS),
)
"""Rows of hashes that a tree may have."""


def exactly(size: int) -> st.SearchStrategy[bytes]:
    """So many bytes, all alike: they are looked at by nobody here."""
    return st.integers(0, 255).map(lambda byte: bytes((byte,)) * size)


UNKNOWN_IDS = sorted(
    set(range(256)) - set(messages.FIXED_BODY) - {messages.PIECE, messages.BITFIELD, messages.EXTENDED, HASHES}
)
ANY_MESSAGE: st.SearchStrategy[Message] = st.one_of(
    st.sampled_from([KeepAlive(), Choke(), Unchoke(), Interested(), NotInterested(), HaveAll(), HaveNone()]),
    st.one_of(st.builds(Have, U32), st.builds(Suggest, U32), st.builds(AllowedFast, U32)),
    st.one_of(st.builds(Request, U32, U32, U32), st.builds(Cancel, U32, U32, U32), st.builds(Reject, U32, U32, U32)),
    st.builds(BitfieldMessage, st.binary(max_size=300)),
    st.builds(Piece, U32, U32, st.binary(min_size=1, max_size=300)),
    st.builds(Port, st.integers(0, 65535)),
    st.builds(Extended, st.integers(0, 255), st.binary(max_size=300)),
    st.one_of(st.builds(HashRequest, RANGES), st.builds(HashReject, RANGES)),
    RANGES.flatmap(lambda span: st.builds(Hashes, st.just(span), exactly(span.answer_bytes))),
    st.builds(Unknown, st.sampled_from(UNKNOWN_IDS), st.binary(max_size=300)),
)

ROW = HashRange(b"\xab" * 32, 1, 4, 2, 1)
ROW_HEX = "ab" * 32 + "00000001" + "00000004" + "00000002" + "00000001"

VECTORS: list[tuple[Message, str]] = [
    (KeepAlive(), "00000000"),
    (Choke(), "0000000100"),
    (Unchoke(), "0000000101"),
    (Interested(), "0000000102"),
    (NotInterested(), "0000000103"),
    (Have(258), "000000050400000102"),
    (BitfieldMessage(b"\xa0"), "0000000205a0"),
    (Request(1, 16384, 16384), "0000000d06000000010000400000004000"),
    (Piece(1, 2, b"abc"), "0000000c070000000100000002616263"),
    (Cancel(1, 0, 5), "0000000d08000000010000000000000005"),
    (Port(6881), "00000003091ae1"),
    (Suggest(7), "000000050d00000007"),
    (HaveAll(), "000000010e"),
    (HaveNone(), "000000010f"),
    (Reject(1, 0, 5), "0000000d10000000010000000000000005"),
    (AllowedFast(7), "000000051100000007"),
    (Extended(3, b"de"), "0000000414036465"),
    (HashRequest(ROW), "0000003115" + ROW_HEX),
    (Hashes(ROW, b"\x11" * 96), "0000009116" + ROW_HEX + "11" * 96),
    (HashReject(ROW), "0000003117" + ROW_HEX),
    (Unknown(99, b"x"), "000000026378"),
]


@pytest.mark.parametrize(("message", "wire"), VECTORS, ids=lambda value: type(value).__name__)
def test_messages_have_the_bytes_of_their_beps(message: Message, wire: str) -> None:
    assert message.encode().hex() == wire
    assert decode_message(bytes.fromhex(wire)[4:]) == message


@given(ANY_MESSAGE)
def test_what_is_encoded_is_decoded_again(message: Message) -> None:
    wire = message.encode()
    assert int.from_bytes(wire[:4]) == len(wire) - 4
    assert decode_message(memoryview(wire)[4:]) == message


@given(ANY_MESSAGE, st.data())
def test_a_cut_message_is_refused_or_says_less(message: Message, data: st.DataObject) -> None:
    """Fixed shapes refuse any cut; in open-ended ones only the payload may shrink."""
    body = message.encode()[4:]
    keep = data.draw(st.integers(1, max(1, len(body) - 1)))
    if keep >= len(body):
        return
    fixed = body[0] in messages.FIXED_BODY
    try:
        cut = decode_message(body[:keep])
    except RemoteProtocolError as error:
        assert error.offence is Offence.BAD_MESSAGE_LENGTH  # noqa: PT017 - either outcome is right for some
    else:
        assert not fixed
        assert cut.encode()[4:] == body[:keep]


@given(st.binary(max_size=64))
def test_junk_raises_only_our_error(body: bytes) -> None:
    try:
        message = decode_message(body)
    except RemoteProtocolError:
        return
    assert message.encode()[4:] == body


@pytest.mark.parametrize("number", sorted(messages.FIXED_BODY))
def test_fixed_shapes_refuse_a_byte_more_or_less(number: int) -> None:
    length = messages.FIXED_BODY[number]
    check_length(number, length)
    for wrong in (length - 1, length + 1):
        with pytest.raises(RemoteProtocolError) as caught:
            check_length(number, wrong)
        assert caught.value.offence is Offence.BAD_MESSAGE_LENGTH


@pytest.mark.parametrize(
    ("number", "most"),
    [
        (messages.PIECE, 9 + BLOCK),
        (messages.EXTENDED, 1 << 16),
        (HASHES, MAX_HASHES_BODY),
        (99, 1 << 16),
        (255, 1 << 16),
        (messages.BITFIELD, 1 + 2**21 // 8),
    ],
)
def test_open_ended_messages_have_a_longest(number: int, most: int) -> None:
    assert max_body(number) == most
    check_length(number, most)
    with pytest.raises(RemoteProtocolError) as caught:
        check_length(number, most + 1)
    assert caught.value.offence is Offence.OVERSIZED_MESSAGE


def test_a_bitfield_has_exactly_the_bytes_of_its_pieces() -> None:
    check_length(messages.BITFIELD, 3, piece_count=9)
    for wrong in (2, 4):
        with pytest.raises(RemoteProtocolError) as caught:
            check_length(messages.BITFIELD, wrong, piece_count=9)
        assert caught.value.offence is Offence.BAD_BITFIELD


@pytest.mark.parametrize("number", [HASH_REQUEST, HASHES, HASH_REJECT])
def test_hashes_that_no_tree_has_are_refused(number: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_message(bytes((number,)) + bytes(48))
    assert caught.value.offence is Offence.BAD_HASH_REQUEST


def test_a_block_without_bytes_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="wrong length"):
        decode_message(pack(">BII", messages.PIECE, 0, 0))


def test_a_number_that_does_not_fit_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        Have(-1).encode()
    with pytest.raises(LocalProtocolError):
        Port(65536).encode()


def test_messages_of_different_kinds_with_equal_fields_differ() -> None:
    kinds: list[Message] = [Request(1, 2, 3), Cancel(1, 2, 3), Reject(1, 2, 3)]
    assert len({type(kind) for kind in kinds if kind == Request(1, 2, 3)}) == 1
