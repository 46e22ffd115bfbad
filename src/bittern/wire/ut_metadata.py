"""Fetching the info dictionary from peers (BEP 9): requests, data and rejects of its 16 KiB pieces."""

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK, Geometry
from bittern.codec.bencode import encode

from .extended import MAX_METADATA, parse_dict
from .stream import Buffer

NAME: Final = "ut_metadata"
"""The extension's name in the handshake of BEP 10."""
METADATA_PIECE: Final = BLOCK
"""Bytes of every piece of metadata but the last."""


def metadata_geometry(size: int) -> Geometry:
    """How `size` bytes of metadata fall into pieces.

    Raises:
        LocalProtocolError: `size` is not 1 to 30 MiB.
    """
    if not 1 <= size <= MAX_METADATA:
        raise LocalProtocolError(f"metadata of {size} bytes")
    return Geometry(size, METADATA_PIECE)


@dataclass(frozen=True, slots=True)
class MetadataRequest:
    """Send me this piece of the metadata."""

    MSG_TYPE: ClassVar[int] = 0
    piece: int

    def encode(self) -> bytes:
        """The payload of the extended message."""
        return encode({"msg_type": self.MSG_TYPE, "piece": self.piece})


@dataclass(frozen=True, slots=True)
class MetadataData:
    """A piece of the metadata.

    Attributes:
        piece: its number.
        total_size: bytes of the whole metadata, 1 to 30 MiB.
        block: its bytes: 16384, or what is left for the last.
    """

    MSG_TYPE: ClassVar[int] = 1
    piece: int
    total_size: int
    block: Buffer

    def encode(self) -> bytes:
        """The payload of the extended message."""
        head = {"msg_type": self.MSG_TYPE, "piece": self.piece, "total_size": self.total_size}
        return b"".join((encode(head), self.block))


@dataclass(frozen=True, slots=True)
class MetadataReject:
    """You will not get this piece of the metadata from me."""

    MSG_TYPE: ClassVar[int] = 2
    piece: int

    def encode(self) -> bytes:
        """The payload of the extended message."""
        return encode({"msg_type": self.MSG_TYPE, "piece": self.piece})


MetadataMessage: TypeAlias = MetadataRequest | MetadataData | MetadataReject


def parse_metadata_message(payload: Buffer) -> MetadataMessage | None:
    """Read the payload of an extended message with our number for `ut_metadata`.

    Returns:
        The message, or None when its type is unknown: such messages are to be ignored (BEP 9).

    Raises:
        RemoteProtocolError: BAD_EXTENSION: no dictionary, a piece outside the metadata or a block of
            the wrong length.
    """
    said, end = parse_dict(payload)
    kind, piece = said.get(b"msg_type"), said.get(b"piece")
    if not isinstance(kind, int) or not isinstance(piece, int):
        raise RemoteProtocolError(Offence.BAD_EXTENSION, "metadata message without type or piece")
    if kind not in (MetadataRequest.MSG_TYPE, MetadataData.MSG_TYPE, MetadataReject.MSG_TYPE):
        return None
    size = said.get(b"total_size") if kind == MetadataData.MSG_TYPE else MAX_METADATA
    if not isinstance(size, int) or not 1 <= size <= MAX_METADATA:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, f"metadata of {size!r} bytes")
    length = metadata_geometry(size).piece_length(piece)
    if not length:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, f"piece {piece} of {size} bytes of metadata")
    if kind == MetadataRequest.MSG_TYPE:
        return MetadataRequest(piece)
    if kind == MetadataReject.MSG_TYPE:
        return MetadataReject(piece)
    if len(payload) - end != length:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, f"{len(payload) - end} bytes of metadata instead of {length}")
    return MetadataData(piece, size, payload[end:])
