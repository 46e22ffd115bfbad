# Invariant: only RemoteProtocolError escapes; a message is in bounds and comes back unchanged from its own encoding.
"""Fuzz target: metadata messages."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.ut_metadata import MetadataData, metadata_geometry, parse_metadata_message
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Parse `data` as the payload of an extended message."""
    try:
        message = parse_metadata_message(memoryview(data))
    except RemoteProtocolError:
        return False
    if message is None:
        return True
    if isinstance(message, MetadataData):
        length = metadata_geometry(message.total_size).piece_length(message.piece)
        assert 1 <= len(message.block) == length
    assert parse_metadata_message(message.encode()) == message
    return True


_KEYS = b"msg_type|piece|total_size".split(b"|")

TARGET = Target(
    "ut_metadata",
    corpus=(
        b"d8:msg_typei0e5:piecei0ee",
        b"d8:msg_typei2e5:piecei1ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei5eehello",
        b"d8:msg_typei1e5:piecei1e10:total_sizei16387eexyz",
        b"d8:msg_typei1e5:piecei0e10:total_sizei20000ee" + bytes(16384),
    ),
    words=(
        *(b"8:msg_type", b"5:piece", b"10:total_size", b"i0e", b"i1e", b"i2e", b"i3e", b"i-1e", b"e", b"d", b"i16384e"),
        *(b"i31457280e", b"i31457281e", b"i9223372036854775807e", b"de", b"le"),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
