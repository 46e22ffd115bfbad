"""Files that may be compressed."""

import gzip
import io
import tracemalloc
import zipfile
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import PackedError
from bittern.codec.unpacked import unpacked

_TEXT = bytes(range(256)) * 1000


class _Stream(io.RawIOBase):
    """A file that cannot be sought in: archives on it say sizes behind each file."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """More of it."""
        self.data += bytes(data)
        return len(data)


def _zipped(*, method: int = zipfile.ZIP_DEFLATED, seekable: bool = True, zip64: bool = False) -> bytes:
    target: io.BytesIO | _Stream = io.BytesIO() if seekable else _Stream()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name in ("a.txt", "folder/b.txt"):
            with archive.open(name, "w", force_zip64=zip64) as file:
                file.write(_TEXT)
    return target.getvalue() if isinstance(target, io.BytesIO) else target.data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (_TEXT, _TEXT),
        (b"", b""),
        (b"P", b"P"),
        (gzip.compress(_TEXT), _TEXT),
        (gzip.compress(_TEXT) * 2, _TEXT * 2),
        (gzip.compress(_TEXT) + bytes(1000), _TEXT),
        (_zipped(), (_TEXT + b"\n") * 2),
        (_zipped(method=zipfile.ZIP_STORED), (_TEXT + b"\n") * 2),
        (_zipped(seekable=False), (_TEXT + b"\n") * 2),
        (_zipped(seekable=False, zip64=True), (_TEXT + b"\n") * 2),
    ],
)
@pytest.mark.parametrize("size", [1000, 1 << 30])
def test_what_is_packed_comes_out(data: bytes, text: bytes, size: int) -> None:
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(unpacked(chunks, 1 << 20)) == text


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(_TEXT)[:-9],
        b"\x1f\x8b",
        b"\x1f\x8bnonsense that is no gzip",
        _zipped()[:100],
        _zipped()[:10],
        _zipped(method=zipfile.ZIP_STORED)[:1000],
        _zipped(method=zipfile.ZIP_BZIP2),
        _zipped(method=zipfile.ZIP_STORED, seekable=False),
        _zipped()[:6] + b"\x01\x00" + _zipped()[8:],
    ],
)
def test_what_is_damaged_or_unknown_is_refused(data: bytes) -> None:
    with pytest.raises(PackedError):
        list(unpacked([data], 1 << 20))


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", _zipped()[:60]]))
@settings(max_examples=100)
def test_junk_is_refused_or_bounded(junk: bytes, head: bytes) -> None:
    try:
        size = sum(map(len, unpacked([head + junk], 1 << 20)))
    except PackedError:
        size = 0
    assert size <= 1 << 20


def test_a_bomb_costs_next_to_no_memory() -> None:
    """Zeros without end: read to the limit, kept nowhere."""
    bomb = gzip.compress(bytes(64 << 20), 9)

    def chunks() -> Iterator[bytes]:
        while True:
            yield bomb

    tracemalloc.start()
    try:
        with pytest.raises(PackedError, match="longer than 100 MiB when unpacked"):
            deque(unpacked(chunks(), 100 << 20), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
