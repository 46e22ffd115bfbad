"""Files that may be compressed: gzip (RFC 1952) and zip, told by their first bytes, unpacked piece by piece.

Nothing is kept but what was read last, and more than a limit is never unpacked: a bomb costs neither memory nor time.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import Struct

from bittern.base.errors import PackedError

PART = 1 << 16
"""Bytes that are unpacked at a time."""
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_ZIP_ENDS = (b"PK\x01\x02", b"PK\x05\x06")  # what follows the files: their directory, or its end
_HEAD = Struct("<4sHHHHHIIIHH")
_DESCRIPTOR = b"PK\x07\x08"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_FOLLOW = 1, 8
_UNKNOWN_SIZE = 0xFFFF_FFFF
_AUTO_GZIP, _RAW = 31, -15  # zlib's words for them


def unpacked(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """What a file holds; of a zip archive all of its files, one after the other, with a line end between them.

    Args:
        chunks: the file, in order, in parts of any length.
        most: bytes that it may hold.

    Raises:
        PackedError: it is damaged, of a kind that is not known here, or longer.
    """
    source = _Source(chunks)
    head = source.peek(4)
    parts = _gzip(source) if head[:2] == _GZIP else _zip(source) if head == _ZIP else source.rest()
    left = most
    for part in parts:
        left -= len(part)
        if left < 0:
            raise PackedError(f"it is longer than {most >> 20} MiB when unpacked")
        yield part


class _Source:
    """Bytes that come in chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = (chunk[at : at + PART] for chunk in chunks for at in range(0, len(chunk), PART))
        self.held = b""
        """What came and was not taken."""

    def more(self) -> bool:
        """Hold more; False at the end."""
        chunk = next(self._chunks, b"")
        self.held += chunk
        return bool(chunk)

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        while len(self.held) < count and self.more():
            pass
        return self.held[:count]

    def take(self, count: int) -> bytes:
        """The next bytes, all of them.

        Raises:
            PackedError: the file ends before.
        """
        data = self.peek(count)
        if len(data) < count:
            raise PackedError("it breaks off")
        self.held = self.held[count:]
        return data

    def some(self, most: int) -> bytes:
        """Some of the next bytes, nothing at the end."""
        if not self.held:
            self.more()
        data, self.held = self.held[:most], self.held[most:]
        return data

    def rest(self) -> Iterator[bytes]:
        """All that follows."""
        while data := self.some(PART):
            yield data


def _inflated(source: _Source, window: int) -> Iterator[bytes]:
    """One compressed stream; what follows it stays in the source."""
    engine = zlib.decompressobj(window)
    while not engine.eof:
        data = engine.unconsumed_tail or source.some(PART)
        try:
            part = engine.decompress(data, PART)
        except zlib.error as error:
            raise PackedError(f"it is damaged: {error}") from None
        if part:
            yield part
        elif not data:
            raise PackedError("it breaks off")
    source.held = engine.unused_data + source.held


def _gzip(source: _Source) -> Iterator[bytes]:
    """All members; what follows the last one, such as zeros that a tape left, means nothing."""
    while source.peek(2) == _GZIP:
        yield from _inflated(source, _AUTO_GZIP)


def _zip(source: _Source) -> Iterator[bytes]:
    """All files in an archive, by the heads before each (APPNOTE.TXT 4.3.7); its directory is not needed."""
    while source.peek(4) == _ZIP:
        head = _HEAD.unpack(source.take(_HEAD.size))
        flags, method, packed, name, extra = head[2], head[3], head[7], head[9], head[10]
        source.take(name + extra)
        if flags & _ENCRYPTED:
            raise PackedError("it is encrypted")
        if method == _DEFLATED:
            yield from _inflated(source, _RAW)
        elif method == _STORED and not flags & _SIZES_FOLLOW and packed != _UNKNOWN_SIZE:
            yield from _stored(source, packed)
        else:
            raise PackedError(f"it is packed in a way that is not known here (method {method})")
        yield b"\n"
        if flags & _SIZES_FOLLOW:
            source.take(_descriptor(source.peek))
    if source.peek(4) not in _ZIP_ENDS:
        raise PackedError("it is damaged, or breaks off")


def _descriptor(peek: Callable[[int], bytes]) -> int:
    """How long the sizes behind a file are: with or without a mark, in 32 or 64 bits."""
    mark = 4 if peek(4) == _DESCRIPTOR else 0
    for size in (mark + 12, mark + 20):
        if peek(size + 4)[size:] in (_ZIP, *_ZIP_ENDS):
            return size
    return mark + 12


def _stored(source: _Source, left: int) -> Iterator[bytes]:
    while left:
        data = source.some(min(left, PART))
        if not data:
            raise PackedError("it breaks off")
        left -= len(data)
        yield data
