"""From a magnet link's info hash to the info dictionary, asked of one peer (BEP 9, BEP 10)."""

from hashlib import sha1, sha256
from itertools import islice
from typing import Final

from bittern.base.errors import NetworkError, Offence, RemoteProtocolError
from bittern.base.geometry import Geometry
from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.messages import Extended
from bittern.wire.ut_metadata import (
    NAME,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    metadata_geometry,
    parse_metadata_message,
)

from .client import NAME as CLIENT_NAME
from .link import Link

UT_METADATA: Final = 1
"""The number under which we want to be sent metadata messages."""

_WINDOW = 4


def introduce(link: Link, hello: Handshake) -> int:
    """Exchange extension handshakes; the peer's number for `ut_metadata`, 1..255.

    Raises:
        NetworkError: the peer does not speak the extension, or said nothing in time.
        RemoteProtocolError: it sent something impossible.
    """
    if not hello.supports(Reserved.LTEP):
        raise NetworkError("does not speak the extension protocol (BEP 10)")
    link.send(ExtendedHandshake({NAME: UT_METADATA}, client=CLIENT_NAME).message())
    deadline = link.deadline()
    while True:
        message = link.receive("its extension handshake", deadline)
        if isinstance(message, Extended) and message.ext_id == HANDSHAKE_EXT_ID:
            number = ExtendedHandshake.parse(message.payload).extensions.get(NAME, 0)
            if not number:
                raise NetworkError("does not hand out metadata (BEP 9)")
            return number


def fetch_metadata(link: Link, number: int, info_hash: InfoHashV1) -> Info:
    """Ask for the metadata piece by piece and check it.

    Args:
        link: to a peer with which extension handshakes were exchanged.
        number: its number for `ut_metadata`.
        info_hash: what the metadata must hash to.

    Raises:
        NetworkError: the peer does not hand it out, or not in time.
        RemoteProtocolError: it sent something impossible, or metadata that fails the hash.
        BencodeError: the metadata has the right hash but is no bencode.
        MetainfoError: the metadata has the right hash but is no valid torrent.
    """
    # Only the answer tells the size for sure, so the first piece is asked for alone.
    link.send(Extended(number, MetadataRequest(0).encode()))
    first = _next_data(link, range(1))
    geometry = metadata_geometry(first.total_size)
    blocks = {0: bytes(first.block)}
    to_ask = iter(range(1, geometry.piece_count))
    asked: dict[int, None] = {}
    while len(blocks) < geometry.piece_count:
        more = list(islice(to_ask, _WINDOW - len(asked)))
        asked.update(dict.fromkeys(more))
        link.send(*(Extended(number, MetadataRequest(piece).encode()) for piece in more))
        data = _next_data(link, asked, geometry)
        del asked[data.piece]
        blocks[data.piece] = bytes(data.block)
    raw = b"".join(blocks[piece] for piece in range(geometry.piece_count))
    if info_hash not in (sha1(raw).digest(), sha256(raw).digest()[:20]):
        raise RemoteProtocolError(Offence.BAD_METADATA)
    return Info.parse(raw)


def _next_data(link: Link, asked: range | dict[int, None], geometry: Geometry | None = None) -> MetadataData:
    """The next piece of metadata that was asked for."""
    deadline = link.deadline()
    while True:
        message = link.receive("metadata", deadline)
        if not isinstance(message, Extended) or message.ext_id != UT_METADATA:
            continue
        answer = parse_metadata_message(message.payload)
        if isinstance(answer, MetadataReject):
            raise NetworkError("refuses to send metadata")
        if isinstance(answer, MetadataData):
            if answer.piece not in asked or (geometry and geometry.total_length != answer.total_size):
                raise RemoteProtocolError(Offence.BAD_EXTENSION, "metadata that was not asked for")
            return answer
