# Invariant: only RemoteProtocolError escapes; what was read comes back unchanged from its own encoding.
"""Fuzz target: messages of the holepunch extension."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.holepunch import Holepunch, HolepunchKind
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Parse `data` as the payload of an extended message."""
    try:
        message = Holepunch.parse(memoryview(data))
    except RemoteProtocolError:
        return False
    if message is None:
        return False
    assert message.error is None or message.kind is HolepunchKind.ERROR
    assert Holepunch.parse(message.encode()) == message
    return True


TARGET = Target(
    "holepunch",
    corpus=(
        b"\x00\x00\xc0\x00\x02\x07\x1a\xe1" + bytes(4),
        b"\x01\x01\x20\x01\x0d\xb8" + bytes(11) + b"\x07\xc8\xd5",
        b"\x02\x00\xc0\x00\x02\x07\x1a\xe1\x00\x00\x00\x03",
    ),
    words=(b"\x00\x00", b"\x01\x01", b"\x02\x01", bytes(10) + b"\xff\xff", b"\x00\x00\x00\x04"),
    check=check,
)
