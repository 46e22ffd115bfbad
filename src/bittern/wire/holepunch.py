"""The holepunch extension (BEP 55): two peers that nobody can connect to are told to connect to each other at once."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from bittern.base.address import Address, parse_compact
from bittern.base.errors import Offence, RemoteProtocolError

from .stream import Buffer

NAME: Final = "ut_holepunch"
"""What the extension is called in the extension handshake."""

_HOST_BYTES: Final = {0: 4, 1: 16}


class HolepunchKind(IntEnum):
    """What a message is for."""

    RENDEZVOUS = 0
    """To a peer between: bring me and the peer at this address together."""
    CONNECT = 1
    """From a peer between: connect to this address over uTP now; whoever is there is told the same of you."""
    ERROR = 2
    """From a peer between: that could not be done."""


class HolepunchError(IntEnum):
    """Why a peer between could not do it."""

    NO_SUCH_PEER = 1
    """No peer can be at such an address."""
    NOT_CONNECTED = 2
    """It is not connected to the peer."""
    NO_SUPPORT = 3
    """The peer does not speak the extension."""
    NO_SELF = 4
    """The address is its own."""


@dataclass(frozen=True, slots=True)
class Holepunch:
    """A message of the extension.

    Attributes:
        kind: what it is for.
        address: of the other peer: the one that is sought, or the one to connect to.
        error: why not, of an error; None of others, and of errors that BEP 55 does not know.
    """

    kind: HolepunchKind
    address: Address
    error: HolepunchError | None = None

    def encode(self) -> bytes:
        """The payload of the extended message: 12 bytes for IPv4, 24 for IPv6."""
        kind, packed = bytes((self.kind, self.address.is_ipv6)), self.address.compact()
        return kind + packed + (self.error or 0).to_bytes(4)

    @classmethod
    def parse(cls, payload: Buffer) -> Self | None:
        """Read the payload of an extended message; None where it is of a kind or an address that nobody knows.

        The error may be absent of what is none (libtorrent sends it so), and what stands behind it is not looked at.

        Raises:
            RemoteProtocolError: BAD_EXTENSION, it is too short.
        """
        data = bytes(payload[:24])
        if len(data) < 2:
            raise RemoteProtocolError(Offence.BAD_EXTENSION, f"{NAME} of {len(data)} bytes")
        size = _HOST_BYTES.get(data[1])
        if data[0] not in _KINDS or size is None:
            return None
        kind, end = HolepunchKind(data[0]), 2 + size + 2
        if len(data) < end + 4 * (kind is HolepunchKind.ERROR):
            raise RemoteProtocolError(Offence.BAD_EXTENSION, f"{NAME} of {len(data)} bytes")
        [address] = parse_compact(data[2:end], ipv6=bool(data[1]))
        code = int.from_bytes(data[end : end + 4]) if kind is HolepunchKind.ERROR else 0
        return cls(kind, address, HolepunchError(code) if code in _ERRORS else None)


_KINDS: Final = frozenset(HolepunchKind)
_ERRORS: Final = frozenset(HolepunchError)
