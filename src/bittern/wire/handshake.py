"""The 68 bytes with which both sides of a link begin (BEP 3), and what their reserved bits say."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import KEEP, IntFlag
from typing import Final, Self

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId

from .stream import Buffer

PROTOCOL: Final = b"\x13BitTorrent protocol"
"""The first 20 bytes: a length and a name."""
RESERVED_SIZE: Final = 8
HANDSHAKE_SIZE: Final = 68

_INFO_HASH_AT: Final = len(PROTOCOL) + RESERVED_SIZE
_PEER_ID_AT: Final = _INFO_HASH_AT + 20


class Reserved(IntFlag, boundary=KEEP):
    """Bits of the reserved bytes, as one big-endian number; `to_bytes(8)` gives the bytes."""

    DHT = 1 << 0
    """Has a DHT node and takes `port` messages (BEP 5)."""
    FAST = 1 << 2
    """Speaks the fast extension (BEP 6)."""
    V2 = 1 << 4
    """Can upgrade this hybrid torrent to version 2 (BEP 52)."""
    LTEP = 1 << 20
    """Speaks the extension protocol (BEP 10)."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """One side's handshake.

    Attributes:
        reserved: 8 bytes of extension bits.
        info_hash: the torrent: SHA-1, or the first 20 bytes of the SHA-256 of version 2.
        peer_id: who is speaking.
    """

    reserved: bytes
    info_hash: InfoHashV1
    peer_id: PeerId

    def __post_init__(self) -> None:
        if len(self.reserved) != RESERVED_SIZE:
            raise LocalProtocolError(f"{len(self.reserved)} reserved bytes instead of {RESERVED_SIZE}")

    def supports(self, bits: Reserved) -> bool:
        """Whether all of `bits` are set."""
        return bits in Reserved.from_bytes(self.reserved)

    def encode(self) -> bytes:
        """The 68 bytes."""
        return PROTOCOL + self.reserved + self.info_hash + self.peer_id

    @classmethod
    def parse(cls, data: Buffer, accepted: Collection[InfoHashV1] = ()) -> Self:
        """Read the handshake at the front of `data`; what follows it is left alone.

        Args:
            data: all that the remote sent until now, or until it closed.
            accepted: the info hashes that may be answered; empty takes any.

        Raises:
            RemoteProtocolError: BAD_PROTOCOL, WRONG_INFO_HASH or SHORT_HANDSHAKE.
        """
        check_start(data, accepted)
        if len(data) < HANDSHAKE_SIZE:
            raise RemoteProtocolError(
                Offence.SHORT_HANDSHAKE, f"{len(data)} bytes came, a handshake has {HANDSHAKE_SIZE}"
            )
        return cls(
            bytes(data[len(PROTOCOL) : _INFO_HASH_AT]),
            InfoHashV1(data[_INFO_HASH_AT:_PEER_ID_AT]),
            PeerId(data[_PEER_ID_AT:HANDSHAKE_SIZE]),
        )


def check_start(data: Buffer, accepted: Collection[InfoHashV1] = ()) -> None:
    """Refuse the front part of a handshake at its first wrong byte.

    Args:
        data: the bytes that came so far: none to all 68, or more.
        accepted: the info hashes that may be answered; empty takes any.

    Raises:
        RemoteProtocolError: BAD_PROTOCOL, or WRONG_INFO_HASH once a byte of the hash fits none of `accepted`.
    """
    name = bytes(data[: len(PROTOCOL)])
    if not PROTOCOL.startswith(name):
        raise RemoteProtocolError(Offence.BAD_PROTOCOL, f"its handshake begins with {name!r}")
    info_hash = bytes(data[_INFO_HASH_AT:_PEER_ID_AT])
    if accepted and not any(known.startswith(info_hash) for known in accepted):
        raise RemoteProtocolError(Offence.WRONG_INFO_HASH, info_hash.hex())
