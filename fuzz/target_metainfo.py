# Invariant: only BencodeError and MetainfoError escape; of what is accepted, the files fill the byte space without
# gap or overlap, every path is made of safe distinct names, the pieces fit the bytes, and the magnet link reads back.
"""Fuzz target: .torrent files."""

from hashlib import sha256

from bittern.base.errors import BencodeError, MetainfoError
from bittern.codec.bencode import encode
from bittern.codec.filemap import FileMap
from bittern.codec.info import Info
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.codec.paths import safe_name
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Parse `data` and look at what comes out."""
    try:
        meta = Metainfo.from_bytes(data)
    except (BencodeError, MetainfoError):
        return False
    info = meta.info
    assert info.raw in data
    end = 0
    for file in info.files:
        assert file.offset == end
        end += file.length
        assert file.path
        assert all(name and name == safe_name(name) for name in file.path)
    assert info.name == safe_name(info.name)
    assert end == info.total_length
    assert sum(span.length for span in FileMap(info.files).spans(0, end)) == end
    paths = [file.path for file in info.files if not file.pad]
    assert len(set(paths)) == len(paths)
    if info.info_hash_v1 is not None:
        assert len(info.piece_hashes) == 20 * info.geometry.piece_count
    magnet = meta.to_magnet()
    assert Magnet.parse(magnet.to_uri()).wire_hash == info.wire_hash
    Info.parse(info.raw)
    return True


def _hybrid() -> bytes:
    root = sha256(b"12345").digest()
    layer = bytes(range(64))
    big = sha256(layer).digest()
    tree = {
        "a": {"": {"length": 5, "pieces root": root}},
        "d": {"b": {"": {"length": 20000, "pieces root": big}}, "l": {"": {"attr": "l", "symlink path": ["a"]}}},
    }
    files = [
        {"length": 5, "path": ["a"]},
        {"attr": "p", "length": 16379, "path": [".pad", "16379"]},
        {"length": 20000, "path": ["d", "b"]},
        {"attr": "l", "length": 0, "path": ["d", "l"], "symlink path": ["a"]},
    ]
    info = {"name": "n", "piece length": 16384, "meta version": 2, "file tree": tree}
    return encode({"info": info | {"files": files, "pieces": bytes(60)}, "piece layers": {big: layer}})


def _v2() -> bytes:
    tree = {name: {"": {"length": 5, "pieces root": sha256(b"12345").digest()}} for name in ("a", "b", "A.1")}
    info = {"name": "n", "piece length": 16384, "meta version": 2, "file tree": tree}
    return encode({"info": info, "piece layers": {}, "announce": "http://a/"})


def _v1() -> bytes:
    files = [{"length": 9, "path": ["x", name], "path.utf-8": ["x", name]} for name in ("a", "A", "..", "con")]
    info = {"name": "n", "piece length": 1000, "files": files, "pieces": bytes(20), "private": 1, "source": "s"}
    beside = {"announce-list": [["http://a/"], ["udp://b:1"]], "url-list": ["http://s/"], "nodes": [["h", 1]]}
    return encode({"info": info, "encoding": "gbk", "comment": "c", "creation date": 5, **beside})


_KEYS = (
    b"length|files|path|path.utf-8|name|name.utf-8|pieces|piece length|attr|symlink path|file tree|"
    b"meta version|piece layers|pieces root|private|encoding|announce|announce-list|url-list|nodes|"
    b"similar|collections||.|.."
).split(b"|")

TARGET = Target(
    "metainfo",
    corpus=(
        _v1(),
        _v2(),
        _hybrid(),
        encode({"info": {"name": "n", "piece length": 16384, "length": 5, "pieces": bytes(20)}}),
        encode({"info": {"name": "", "piece length": 1, "length": 0, "pieces": b""}}),
    ),
    words=(
        *(b"i0e", b"i-1e", b"i1e", b"i2e", b"i16384e", b"i9223372036854775807e", b"le", b"de", b"0:", b"2:..", b"1:/"),
        *(b"6:length", b"5:files", b"4:path", b"10:path.utf-8", b"6:pieces", b"12:piece length", b"4:attr1:p"),
        *(b"4:attr1:l", b"12:symlink pathl1:ae", b"d6:lengthi0e4:pathl1:aee", b"4:name", b"3:con", b"4:a\x00\xff:"),
        *(b"1:bd0:d6:lengthi0eee", b"8:encoding5:utf-7", b"12:meta versioni2e", b"12:piece layers", b"e", b"d", b"l"),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
