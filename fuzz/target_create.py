# Invariant: of any files, under any names and with any options, a torrent is made that reads back as what was asked
# for, whose content verifies piece by piece, or an error says why not.
"""Fuzz target: from files on a disk to a torrent, and back by verifying them."""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from bittern.base.errors import BitternError
from bittern.codec.metainfo import Metainfo
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import scan
from bittern.tools.verify import locate, verify
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit

_MOST_BYTES = 1 << 17
_MOST_FILES = 30


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    shm = Path("/dev/shm")  # where nothing waits for a disk
    return tempfile.TemporaryDirectory(prefix="bittern-fuzz-", dir=shm if shm.is_dir() else None)


def check(data: bytes) -> bool:
    """Two bytes of options, then acts: each is a file, its length in three bytes and its path."""
    if len(data) < 2:
        return False
    root = Path(_folder().name) / "content"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for number, (kind, said) in enumerate(acts(data[2:])):
        if number == _MOST_FILES:
            break
        _make(root, kind, int.from_bytes(said[:3]) % _MOST_BYTES, said[3:])
    version = tuple(Version)[data[0] % 3]
    text = "".join(chr(32 + byte) for byte in data[:20])
    try:
        options = CreateOptions(
            version=version,
            piece_size=16384 << data[1] % 4 if data[0] & 4 else None,
            trackers=((f"http://{data[0]}.example/announce",), ("udp://b:1",))[: data[0] >> 3 & 3],
            private=bool(data[0] & 32),
            source=text if data[0] & 64 else None,
            comment=text if data[0] & 128 else None,
            web_seeds=("http://w/",) if data[1] & 16 else (),
            nodes=(("h", 1),) if data[1] & 32 else (),
        )
        made = create(scan(root), options, threads=1)
    except BitternError:
        return False
    _look(root, made.data, options)
    return True


def _make(root: Path, kind: int, length: int, name: bytes) -> None:
    """A file below `root`, where the system allows one of such a name."""
    parts = [part for part in name.replace(b"\0", b"").split(b"/") if part not in {b"", b".", b".."}]
    path = root.joinpath(*map(os.fsdecode, parts))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Random(kind).randbytes(length))
    except OSError:
        return
    if kind & 1:
        path.chmod(0o755)


def _look(root: Path, data: bytes, options: CreateOptions) -> None:
    meta = Metainfo.from_bytes(data)
    info = meta.info
    assert (info.info_hash_v1 is not None) is options.version.has_v1
    assert (info.info_hash_v2 is not None) is options.version.has_v2
    assert info.private is options.private
    assert meta.trackers == tuple(map(tuple, options.trackers))
    assert meta.web_seeds == tuple(options.web_seeds)
    on_disk = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert info.total_size == on_disk
    report = verify(meta, locate(info, root), threads=1)
    renamed = [path for path in locate(info, root) if not path.exists()]
    assert report.good or renamed, f"bad pieces {report.bad_pieces}"


def _file(length: int, name: bytes, kind: int = 0) -> bytes:
    return act(kind, length.to_bytes(3) + name)


_FILES = (
    _file(5, b"a"),
    _file(70_000, b"b"),
    _file(0, b"empty"),
    _file(16384, b"d/e"),
    _file(16385, b"d/f", 1),
    _file(3, b"A"),
    _file(3, b"con"),
    _file(3, b"x "),
    _file(3, b"\xc3\xa9"),
    _file(3, b"e\xcc\x81"),
    _file(3, b"\xff"),
    _file(3, b"a:b"),
    _file(3, b"d/.pad/5"),
)
_CORPUS = (
    *(bytes((version, 0)) + b"".join(_FILES[:5]) for version in range(3)),
    *(bytes((version + 4, 1)) + b"".join(_FILES[4:9]) for version in range(3)),
    *(bytes((248 + version, 16)) + b"".join(_FILES[:9]) for version in range(3)),
    bytes((2, 32)) + b"".join(_FILES),
    bytes((1, 0)) + _FILES[2],
    bytes((2, 0)),
    bytes((0, 0)) + _FILES[11] + _FILES[12],
)

TARGET = Target(
    "create",
    corpus=_CORPUS,
    words=(*_FILES, b"/", b"..", b".pad", b"\n", b"\xe2\x80\xae", b"\0\0\0", b"\0\x40\0", b"\0\x80\0", b"x" * 255),
    check=check,
    edits=(play_edit(_CORPUS, head=2),),
    slow_seconds=2.0,
)
