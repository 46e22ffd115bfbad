# Invariant: only RemoteProtocolError escapes; port, hashes and cookie are in bounds; what was read comes back unchanged
# from its own encoding, which fits into a datagram.
"""Fuzz target: announces to the local network."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.lsd import GROUP_V4, GROUP_V6, MAX_COOKIE, MAX_DATAGRAM, MOST_HASHES, LocalAnnounce
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Parse `data` as a datagram."""
    try:
        announce = LocalAnnounce.parse(data)
    except RemoteProtocolError:
        return False
    assert 1 <= announce.port <= 65535
    assert 1 <= len(announce.info_hashes) <= MOST_HASHES
    assert announce.cookie is None or len(announce.cookie) <= MAX_COOKIE
    for group in (GROUP_V4, GROUP_V6):
        datagram = announce.encode(group)
        assert len(datagram) <= MAX_DATAGRAM
        assert LocalAnnounce.parse(datagram) == announce
    return True


_HEAD = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n"
_HASH = b"Infohash: " + b"0123456789abcdefABCD" * 2 + b"\r\n"
TARGET = Target(
    "lsd",
    corpus=(
        _HEAD + _HASH + b"cookie: 5f\r\n\r\n\r\n",
        _HEAD + _HASH * 3 + b"\r\n\r\n",
        _HEAD + b"".join(b"Infohash: %040x\r\n" % number for number in range(24)) + b"\r\n\r\n",
    ),
    words=(
        b"\r\n",
        b":",
        b"Port: ",
        b"Infohash: ",
        b"cookie: ",
        b"0",
        b"65535",
        b"-1",
        _HASH,
        b"\xd9\xa1",
        b"\r",
        b"\n",
    ),
    check=check,
)
