"""Saved progress of one torrent: which pieces were good, and how its files looked then.

The form is a magic line with the version, a SHA-256 of the rest, and a bencoded dictionary. Whatever does
not check out is a `ResumeError`, and a recheck of the files is the cure: nothing in here is believed
further than that, and no path is taken from it.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Self

from bittern.base.address import Address, parse_compact
from bittern.base.bitfield import Bitfield
from bittern.base.errors import BencodeError, LocalProtocolError, RemoteProtocolError, ResumeError
from bittern.base.ids import InfoHashV1

from .bencode import INTEGER_MAX, INTEGER_MIN, Limits, Value, decode, encode
from .info import MAX_PIECES, Info

MAGIC = b"bittern resume 1\n"
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of the largest form that is read: about a million files."""

MOST_PEERS = 100
"""Addresses of peers that are kept."""

_LIMITS = Limits(depth=3, tokens=3_000_000, size=MAX_BYTES)
_DIGEST_BYTES = 32
_ABSENT = -1


class FileStamp(NamedTuple):
    """How a file looked when progress was saved.

    Attributes:
        size: bytes.
        mtime_ns: time of its last change, nanoseconds since 1970.
    """

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Progress of one torrent.

    Attributes:
        info_hash: the torrent's `wire_hash`.
        piece_count: pieces of the torrent.
        pieces: of them, those that are stored, as the bytes of a Bitfield.
        files: one stamp for each file of the torrent; None for one that was not there.
        uploaded: payload bytes ever sent.
        downloaded: payload bytes ever received.
        added_at: seconds since 1970.
        completed_at: seconds since 1970; None until the torrent was complete.
        unchecked: pieces that a check had yet to read when it was interrupted, as the bytes of a Bitfield; empty for
            none.
        ours: whether the files were known to be the torrent's before that check.
        peers: where peers of its swarm answered us, at most 100, the best first.
        ways: how each of these was reached, a byte for each that is not looked into here; empty for nothing known.
        liars: URLs of web seeds that sent bad data.
    """

    info_hash: InfoHashV1
    piece_count: int
    pieces: bytes
    files: tuple[FileStamp | None, ...]
    uploaded: int = 0
    downloaded: int = 0
    added_at: int = 0
    completed_at: int | None = None
    unchecked: bytes = b""
    ours: bool = True
    peers: tuple[Address, ...] = ()
    ways: bytes = b""
    liars: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The bytes to save."""
        stamps = [number for stamp in self.files for number in (stamp or (_ABSENT, 0))]
        box: dict[str, object] = {
            "added at": self.added_at,
            "downloaded": self.downloaded,
            "files": stamps,
            "info hash": self.info_hash,
            "piece count": self.piece_count,
            "pieces": self.pieces,
            "uploaded": self.uploaded,
        }
        if self.completed_at is not None:
            box["completed at"] = self.completed_at
        if self.unchecked:
            box["unchecked"] = self.unchecked
            box["ours"] = int(self.ours)
        if self.peers:
            box["peers"] = [address.compact() for address in self.peers]
        if any(self.ways):
            box["ways"] = self.ways
        if self.liars:
            box["liars"] = list(self.liars)
        body = encode(box)
        return MAGIC + sha256(body).digest() + body

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` made.

        Raises:
            ResumeError: damaged, of another version, or not consistent in itself.
        """
        start = len(MAGIC) + _DIGEST_BYTES
        if len(data) > MAX_BYTES:
            raise ResumeError("the resume data is too large")
        if not data.startswith(MAGIC):
            raise ResumeError("not resume data of this version")
        if sha256(data[start:]).digest() != data[len(MAGIC) : start]:
            raise ResumeError("the resume data is damaged")
        try:
            box = decode(data[start:], limits=_LIMITS)
        except BencodeError as error:
            raise ResumeError(f"the resume data is damaged: {error}") from error
        if not isinstance(box, dict):
            raise ResumeError("the resume data is not a dictionary")
        resume = cls(
            info_hash=_info_hash(box.get(b"info hash")),
            piece_count=_number(box, b"piece count", 0, MAX_PIECES),
            pieces=_bytes(box.get(b"pieces")),
            files=_stamps(box.get(b"files")),
            uploaded=_number(box, b"uploaded", 0),
            downloaded=_number(box, b"downloaded", 0),
            added_at=_number(box, b"added at", INTEGER_MIN),
            completed_at=_number(box, b"completed at", INTEGER_MIN) if b"completed at" in box else None,
            unchecked=_bytes(box.get(b"unchecked", b"")),
            ours=bool(_number(box, b"ours", 0, 1)) if b"ours" in box else True,
            peers=_peers(box.get(b"peers", [])),
            ways=_bytes(box.get(b"ways", b""))[:MOST_PEERS],
            liars=_texts(box.get(b"liars", [])),
        )
        resume.have()
        resume.to_check()
        return resume

    def have(self) -> Bitfield:
        """The stored pieces.

        Raises:
            ResumeError: `pieces` does not hold `piece_count` bits.
        """
        try:
            return Bitfield.from_bytes(self.pieces, self.piece_count)
        except RemoteProtocolError as error:
            raise ResumeError("the resume data has a bad set of pieces") from error

    def to_check(self) -> Bitfield:
        """The pieces that an interrupted check had yet to read.

        Raises:
            ResumeError: `unchecked` does not hold `piece_count` bits.
        """
        try:
            return Bitfield.from_bytes(self.unchecked or bytes(-(-self.piece_count // 8)), self.piece_count)
        except RemoteProtocolError as error:
            raise ResumeError("the resume data has a bad set of pieces") from error

    def check(self, info: Info) -> None:
        """Make sure that this belongs to `info`.

        Raises:
            ResumeError: it belongs to another torrent.
        """
        if (self.info_hash, self.piece_count, len(self.files)) != (
            info.wire_hash,
            info.geometry.piece_count,
            len(info.files),
        ):
            raise ResumeError("the resume data belongs to another torrent")


def _bytes(value: Value | None) -> bytes:
    if not isinstance(value, bytes):
        raise ResumeError("the resume data lacks a field")
    return value


def _info_hash(value: Value | None) -> InfoHashV1:
    try:
        return InfoHashV1(_bytes(value))
    except LocalProtocolError as error:
        raise ResumeError("the resume data has a bad info hash") from error


def _texts(value: Value) -> tuple[str, ...]:
    try:
        return tuple([_bytes(text).decode() for text in value]) if isinstance(value, list) else ()
    except UnicodeDecodeError as error:
        raise ResumeError("the resume data has a bad text") from error


def _number(box: dict[bytes, Value], key: bytes, low: int, high: int = INTEGER_MAX) -> int:
    value = box.get(key)
    if not isinstance(value, int) or not low <= value <= high:
        raise ResumeError(f"the resume data has a bad `{key.decode()}`")
    return value


def _peers(value: Value) -> tuple[Address, ...]:
    entries = value if isinstance(value, list) else [None]
    packed = [entry for entry in entries if isinstance(entry, bytes) and len(entry) in (6, 18)]
    if len(packed) != len(entries) or len(entries) > MOST_PEERS:
        raise ResumeError("the resume data has bad addresses of peers")
    return tuple([address for entry in packed for address in parse_compact(entry, ipv6=len(entry) == 18)])


def _stamps(value: Value | None) -> tuple[FileStamp | None, ...]:
    numbers = value if isinstance(value, list) else [None]
    integers = [number for number in numbers if isinstance(number, int)]
    if len(integers) != len(numbers) or len(integers) % 2 or min(integers[::2], default=0) < _ABSENT:
        raise ResumeError("the resume data has bad file stamps")
    pairs = zip(integers[::2], integers[1::2], strict=True)
    return tuple([None if size == _ABSENT else FileStamp(size, mtime_ns) for size, mtime_ns in pairs])
