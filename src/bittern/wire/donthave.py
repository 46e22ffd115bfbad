"""The lt_donthave extension: a piece that was told of is not there any more (BEP 54)."""

from typing import Final

from bittern.base.errors import Offence, RemoteProtocolError

from .stream import Buffer

NAME: Final = "lt_donthave"
"""What the extension is called in the extension handshake."""


def encode(piece: int) -> bytes:
    """The payload that takes back `piece`."""
    return piece.to_bytes(4)


def parse(payload: Buffer) -> int:
    """The piece that a payload takes back.

    Raises:
        RemoteProtocolError: BAD_EXTENSION, it is not a number of four bytes.
    """
    if len(payload) != 4:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, f"{NAME} of {len(payload)} bytes")
    return int.from_bytes(payload)
