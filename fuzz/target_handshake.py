# Invariant: only RemoteProtocolError escapes; what was parsed encodes to the same 68 bytes; the incremental check
# refuses a prefix exactly when no continuation of it would be accepted.
"""Fuzz target: the handshake."""

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.handshake import HANDSHAKE_SIZE, PROTOCOL, Handshake, check_start
from fuzz.driver import Target

_HASH = InfoHashV1(bytes(range(100, 120)))
_GOOD = PROTOCOL + bytes(8) + _HASH + b"-XX0000-abcdefghijkl"


def check(data: bytes) -> bool:
    """Parse `data` whole, and let it come byte by byte."""
    refused_at = _refused_at(data)
    offence = None
    try:
        assert Handshake.parse(data, (_HASH,)).encode() == data[:HANDSHAKE_SIZE]
    except RemoteProtocolError as error:
        offence = error.offence
    if refused_at is None:
        assert offence in (None, Offence.SHORT_HANDSHAKE)
        return True
    assert offence in (Offence.BAD_PROTOCOL, Offence.WRONG_INFO_HASH)
    good = data[: refused_at - 1] + _GOOD[refused_at - 1 :]
    assert good[:refused_at] != data[:refused_at]
    Handshake.parse(good, (_HASH,))
    return False


def _refused_at(data: bytes) -> int | None:
    for count in range(min(len(data), HANDSHAKE_SIZE) + 1):
        try:
            check_start(data[:count], (_HASH,))
        except RemoteProtocolError:
            return count
    return None


TARGET = Target(
    "handshake",
    corpus=(_GOOD, _GOOD + b"\x00\x00\x00\x01\x02", _GOOD[:40], b""),
    words=(PROTOCOL, b"BitTorrent", b"\x13", bytes(8), b"\x00\x00\x00\x00\x00\x10\x00\x05", _HASH, b"\xff"),
    check=check,
)
