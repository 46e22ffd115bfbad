"""Torrents of several files, with pads, and their storages."""

from hashlib import sha1
from pathlib import Path
from random import Random

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.io.disk.files import FileStorage
from bittern.io.disk.handles import Handles

MADE: list[Handles] = []
"""Open files of the storages that a test made; closed at its end."""


def several(lengths: list[int], piece_size: int, pads: tuple[int, ...] = ()) -> tuple[Info, bytes]:
    """Files f0, f1, ... below `name`; those numbered in `pads` are pads, of zeros."""
    rng = Random(7)
    data = b"".join(bytes(size) if at in pads else rng.randbytes(size) for at, size in enumerate(lengths))
    hashes = b"".join(sha1(data[at : at + piece_size]).digest() for at in range(0, len(data), piece_size))
    files: list[dict[str, object]] = [
        {"length": size, "path": [".pad", str(size)], "attr": "p"}
        if at in pads
        else {"length": size, "path": ["d", f"f{at}"]}
        for at, size in enumerate(lengths)
    ]
    raw = encode({"files": files, "name": "name", "piece length": piece_size, "pieces": hashes})
    return Info.parse(raw), data


def storage_of(info: Info, folder: Path, limit: int = 100) -> FileStorage:
    handles = Handles(limit)
    MADE.append(handles)
    return FileStorage(info, folder, handles)
