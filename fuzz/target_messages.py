# Invariant: only RemoteProtocolError escapes, and a message that was decoded encodes to the same bytes.
"""Fuzz target: messages of the peer wire."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.messages import LENGTH_PREFIX, check_length, decode_message
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Decode `data` as the body of a message."""
    try:
        message = decode_message(memoryview(data))
    except RemoteProtocolError:
        return False
    wire = message.encode()
    assert wire[LENGTH_PREFIX:] == data
    assert int.from_bytes(wire[:LENGTH_PREFIX]) == len(data)
    if data:
        check_length(data[0], len(data))
    return True


TARGET = Target(
    "messages",
    corpus=(
        b"",
        b"\x00",
        b"\x04\x00\x00\x00\x07",
        b"\x05\xff\xf0",
        b"\x06" + bytes(8) + b"\x00\x00\x40\x00",
        b"\x07" + bytes(8) + bytes(range(256)),
        b"\x09\x1a\xe1",
        b"\x0e",
        b"\x10" + b"\xff" * 12,
        b"\x14\x00d1:md11:ut_metadatai3eee",
        b"\x15" + bytes(43) + b"\x02" + bytes(4),
        b"\x16" + bytes(43) + b"\x02" + bytes(3) + b"\x01" + bytes(96),
        b"\x17" + bytes(48),
        b"\xff",
    ),
    words=(*(bytes((number,)) for number in range(24)), bytes(4), b"\xff" * 4, bytes(16384)),
    check=check,
)
