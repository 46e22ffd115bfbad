"""Local service discovery (BEP 14): who is in which swarms, said to everybody in the local network by multicast."""

import re
from dataclasses import dataclass
from typing import Final, Self

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1

from .stream import Buffer

GROUP_V4: Final = Address("239.192.152.143", 6771)
GROUP_V6: Final = Address("ff15::efc0:988f", 6771)
MAX_DATAGRAM: Final = 1400
"""Bytes that an announce has at most: more may be torn apart on the way."""
MOST_HASHES: Final = 24
"""Info hashes that fit into an announce, whatever else is in it."""
MAX_COOKIE: Final = 32
"""Characters of our cookies, and of those that are understood."""

_FIRST_LINE: Final = b"BT-SEARCH * HTTP/1.1"
_MOST_LINES: Final = 100
_HASH: Final = re.compile(rb"[0-9A-Fa-f]{40}")


@dataclass(frozen=True, slots=True)
class LocalAnnounce:
    """I take part in these swarms, and listen on this port of the address that this comes from.

    Attributes:
        port: 1..65535.
        info_hashes: 1 to 24, those of version 2 truncated; each once.
        cookie: what tells the sender's own announces from those of others; None where it has none.
    """

    port: int
    info_hashes: tuple[InfoHashV1, ...]
    cookie: str | None = None

    def encode(self, group: Address) -> bytes:
        """The datagram to send to `group`."""
        lines = [
            _FIRST_LINE,
            b"Host: " + str(group).encode(),
            b"Port: %d" % self.port,
            *[b"Infohash: " + str(info_hash).encode() for info_hash in self.info_hashes],
        ]
        if self.cookie is not None:
            lines.append(b"cookie: " + self.cookie.encode())
        return b"\r\n".join(lines) + b"\r\n\r\n\r\n"

    @classmethod
    def parse(cls, datagram: Buffer) -> Self:
        """Read a datagram; headers of other names are ignored, as are info hashes after the first 24 and all after 99.

        Raises:
            RemoteProtocolError: BAD_ANNOUNCE: too long, not BT-SEARCH, no or a senseless port or info hash.
        """
        if len(datagram) > MAX_DATAGRAM:
            raise RemoteProtocolError(Offence.BAD_ANNOUNCE, f"{len(datagram)} bytes")
        first, *lines = bytes(datagram).split(b"\r\n", _MOST_LINES)[:_MOST_LINES]  # what is left over is no line
        if first.strip() != _FIRST_LINE:
            raise RemoteProtocolError(Offence.BAD_ANNOUNCE, "not BT-SEARCH")
        port, cookie = 0, None
        hashes: dict[InfoHashV1, None] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            name, value = name.strip().lower(), value.strip()
            if name == b"port":
                port = _port(value)
            elif name == b"infohash" and len(hashes) < MOST_HASHES:
                hashes[_info_hash(value)] = None
            elif name == b"cookie" and len(value) <= MAX_COOKIE and value.isascii():
                cookie = value.decode()
        if not port or not hashes:
            raise RemoteProtocolError(Offence.BAD_ANNOUNCE, "no port, or no info hash")
        return cls(port, tuple(hashes), cookie)


def _port(value: bytes) -> int:
    # isdigit of bytes knows ASCII only.
    if not value.isdigit() or len(value) > 5 or not 1 <= int(value) <= 65535:
        raise RemoteProtocolError(Offence.BAD_ANNOUNCE, f"port {value[:20]!r}")
    return int(value)


def _info_hash(value: bytes) -> InfoHashV1:
    if not _HASH.fullmatch(value):
        raise RemoteProtocolError(Offence.BAD_ANNOUNCE, f"info hash {value[:80]!r}")
    return InfoHashV1.from_hex(value.decode())
