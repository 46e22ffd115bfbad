from hashlib import sha1, sha256

import pytest

from bittern.base.errors import BencodeError, LocalProtocolError, MetainfoError
from bittern.base.geometry import Geometry
from bittern.codec.bencode import Value, encode
from bittern.codec.info import MAX_PIECE_SIZE, Info
from bittern.codec.layout import File

ROOT = b"r" * 32
PIECE = 16384
SINGLE: dict[bytes, Value] = {
    b"name": b"file.bin",
    b"piece length": PIECE,
    b"length": PIECE + 1,
    b"pieces": bytes(range(40)),
}
MULTI: dict[bytes, Value] = {
    b"name": b"folder",
    b"piece length": 10,
    b"files": [{b"length": 7, b"path": [b"a"]}, {b"length": 8, b"path": [b"d", b"b"]}],
    b"pieces": bytes(40),
}
TREE: dict[bytes, Value] = {
    b"name": b"folder",
    b"piece length": PIECE,
    b"meta version": 2,
    b"file tree": {
        b"a": {b"": {b"length": 5, b"pieces root": ROOT}},
        b"b": {b"": {b"length": PIECE, b"pieces root": ROOT}},
    },
}
HYBRID: dict[bytes, Value] = TREE | {
    b"files": [
        {b"length": 5, b"path": [b"a"]},
        {b"length": PIECE - 5, b"attr": b"p", b"path": [b".pad", b"16379"]},
        {b"length": PIECE, b"path": [b"b"]},
    ],
    b"pieces": bytes(40),
}


def parse(info: dict[bytes, Value], **changes: Value) -> Info:
    return Info.parse(encode(info | {key.replace("_", " ").encode(): value for key, value in changes.items()}))


def test_a_single_file() -> None:
    info = parse(SINGLE)
    assert (info.name, info.multi_file, info.files) == ("file.bin", False, (File(("file.bin",), PIECE + 1, 0),))
    assert info.geometry == Geometry(PIECE + 1, PIECE)
    assert (info.total_size, info.total_length) == (PIECE + 1, PIECE + 1)
    assert info.piece_hash(0) == bytes(range(20))
    assert info.piece_hash(1) == bytes(range(20, 40))
    assert (info.info_hash_v1, info.info_hash_v2) == (sha1(encode(SINGLE)).digest(), None)
    assert info.wire_hash == info.info_hash_v1


@pytest.mark.parametrize("piece", [-1, 2])
def test_a_piece_outside_the_torrent_has_no_hash(piece: int) -> None:
    with pytest.raises(LocalProtocolError):
        parse(SINGLE).piece_hash(piece)


def test_a_folder_of_files() -> None:
    info = parse(MULTI)
    assert (info.name, info.multi_file) == ("folder", True)
    assert info.files == (File(("a",), 7, 0), File(("d", "b"), 8, 7))
    assert info.geometry.piece_count == 2


def test_a_v2_torrent_has_pads_in_its_byte_space_only() -> None:
    info = parse(TREE)
    assert info.files == (
        File(("a",), 5, 0, pieces_root=ROOT),
        File((".pad", "16379"), PIECE - 5, 5, pad=True),
        File(("b",), PIECE, PIECE, pieces_root=ROOT),
    )
    assert (info.total_size, info.total_length, info.multi_file) == (PIECE + 5, 2 * PIECE, True)
    assert (info.info_hash_v1, info.info_hash_v2) == (None, sha256(encode(TREE)).digest())
    assert info.wire_hash == sha256(encode(TREE)).digest()[:20]
    assert info.piece_hashes == b""
    with pytest.raises(LocalProtocolError):
        info.piece_hash(0)


def test_a_v2_torrent_of_one_file_at_the_root_has_no_folder() -> None:
    one: Value = {b"x.bin": {b"": {b"length": 5, b"pieces root": ROOT}}}
    info = parse(TREE, file_tree=one)
    assert (info.name, info.multi_file, info.files[0].path) == ("x.bin", False, ("x.bin",))
    info = parse(TREE, file_tree={b"d": one})
    assert (info.name, info.multi_file, info.files[0].path) == ("folder", True, ("d", "x.bin"))


def test_a_v2_torrent_of_one_file_beside_an_empty_folder_has_a_folder() -> None:
    """As libtorrent lays it out, so that both find the same file."""
    file: Value = {b"": {b"length": 5, b"pieces root": ROOT}}
    info = parse(TREE, file_tree={b"d": {}, b"x.bin": file})
    assert (info.name, info.multi_file, info.files[0].path) == ("folder", True, ("x.bin",))


def test_a_hybrid_has_both_hashes_and_goes_by_the_first() -> None:
    info = parse(HYBRID)
    raw = encode(HYBRID)
    assert (info.info_hash_v1, info.info_hash_v2) == (sha1(raw).digest(), sha256(raw).digest())
    assert info.wire_hash == info.info_hash_v1
    assert [file.pieces_root for file in info.files] == [ROOT, None, ROOT]
    assert info.files[:3:2] == parse(TREE).files[:3:2]


def test_a_hybrid_of_one_file() -> None:
    tree: dict[bytes, Value] = {b"file.bin": {b"": {b"length": PIECE + 1, b"pieces root": ROOT}}}
    info = parse(SINGLE, meta_version=2, file_tree=tree)
    assert info.files == (File(("file.bin",), PIECE + 1, 0, pieces_root=ROOT),)
    with pytest.raises(MetainfoError):
        parse(SINGLE, meta_version=2, file_tree=tree, name=b"other")


@pytest.mark.parametrize("missing", [b"pieces", b"files", b"file tree"])
def test_half_a_hybrid_is_refused(missing: bytes) -> None:
    with pytest.raises(MetainfoError):
        parse({key: value for key, value in HYBRID.items() if key != missing})


def test_the_info_hash_is_over_the_raw_bytes() -> None:
    raw = b"d4:name1:n6:lengthi01e12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e"
    info = Info.parse(memoryview(raw))
    assert info.raw == raw
    assert info.info_hash_v1 == sha1(raw).digest()


@pytest.mark.parametrize(
    "raw",
    [
        b"d6:lengthi1e6:lengthi2e4:name1:n12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e",
        b"d4:name1:n1:xd1:ai1e1:ai1ee6:lengthi1e12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e",
        b"d",
        b"",
    ],
)
def test_repeated_keys_and_broken_bencode_are_refused(raw: bytes) -> None:
    with pytest.raises(BencodeError):
        Info.parse(raw)


@pytest.mark.parametrize("raw", [b"le", b"i1e", encode(SINGLE) + b"x"])
def test_what_is_no_dictionary_is_refused(raw: bytes) -> None:
    with pytest.raises(MetainfoError) as caught:
        Info.parse(raw)
    assert caught.value.field == "info"


@pytest.mark.parametrize(
    ("base", "key", "value", "field"),
    [
        (SINGLE, "piece length", 0, "info.piece length"),
        (SINGLE, "piece length", -1, "info.piece length"),
        (SINGLE, "piece length", MAX_PIECE_SIZE + 1, "info.piece length"),
        (SINGLE, "piece length", b"16384", "info.piece length"),
        (TREE, "piece length", PIECE // 2, "info.piece length"),
        (TREE, "piece length", PIECE * 3, "info.piece length"),
        (HYBRID, "piece length", PIECE + 1, "info.piece length"),
        (SINGLE, "pieces", bytes(20), "info.pieces"),
        (SINGLE, "pieces", bytes(60), "info.pieces"),
        (SINGLE, "pieces", bytes(41), "info.pieces"),
        (SINGLE, "pieces", 40, "info.pieces"),
        (SINGLE, "length", -1, "info.length"),
        (SINGLE, "length", 2**62, "info.pieces"),
        (SINGLE, "files", [], "info.files"),
        (SINGLE, "name", 1, "info.name"),
        (SINGLE, "meta version", 3, "info.meta version"),
        (SINGLE, "meta version", b"2", "info.meta version"),
        (SINGLE, "file tree", {}, "info.meta version"),
        (HYBRID, "meta version", 1, "info.meta version"),
        (TREE, "file tree", [], "info.file tree"),
        (TREE, "file tree", {b"a": {b"": {b"length": 2**50, b"pieces root": ROOT}}}, "info.piece length"),
    ],
)
def test_bad_essential_fields_are_refused(base: dict[bytes, Value], key: str, value: Value, field: str) -> None:
    with pytest.raises(MetainfoError) as caught:
        parse(base, **{key: value})
    assert caught.value.field == field


@pytest.mark.parametrize("key", [b"name", b"piece length", b"length", b"pieces"])
def test_missing_essential_fields_are_refused(key: bytes) -> None:
    with pytest.raises(MetainfoError):
        parse({name: value for name, value in SINGLE.items() if name != key})


def test_pieces_of_any_size_are_allowed_in_v1() -> None:
    assert parse(SINGLE, piece_length=9000).geometry.piece_count == 2
    assert parse(SINGLE, piece_length=MAX_PIECE_SIZE, pieces=bytes(20)).geometry.piece_count == 1


def test_too_many_pieces_are_refused() -> None:
    assert parse(SINGLE, piece_length=1, length=2**21, pieces=bytes(20 * 2**21)).geometry.piece_count == 2**21
    with pytest.raises(MetainfoError):
        parse(SINGLE, piece_length=1, length=2**21 + 1, pieces=bytes(20 * (2**21 + 1)))


def test_a_torrent_of_empty_files_has_no_pieces() -> None:
    info = parse(SINGLE, length=0, pieces=b"")
    assert (info.geometry.piece_count, info.total_size) == (0, 0)


@pytest.mark.parametrize(("value", "private"), [(1, True), (0, False), (2, False), (b"1", False)])
def test_private_is_the_integer_1_only(value: Value, private: bool) -> None:  # noqa: FBT001 - a table's column
    assert parse(SINGLE, private=value).private is private


@pytest.mark.parametrize("name", [b"", b"\x00", b"///", b"  "])
def test_a_name_of_which_nothing_is_left_becomes_the_info_hash(name: bytes) -> None:
    for base in (SINGLE, MULTI, TREE):
        info = parse(base, name=name)
        assert info.name == str(info.info_hash_v1 or info.info_hash_v2)
    assert parse(SINGLE, name=name).files[0].path == (str(parse(SINGLE, name=name).info_hash_v1),)


def test_utf_8_names_come_first_and_others_are_read_by_the_encoding() -> None:
    changed = SINGLE | {b"name": "电影".encode("gbk")}
    assert Info.parse(encode(changed), "GBK").name == "电影"
    assert Info.parse(encode(changed | {b"name.utf-8": b"film"}), "GBK").name == "film"


def test_hostile_names_are_made_safe() -> None:
    files: list[Value] = [{b"length": 5, b"path": [b"..", b"x/../y"]}, {b"length": 10, b"path": [b"_", b"X..Y"]}]
    info = parse(MULTI, name=b"../..", files=files)
    assert info.name == "_"
    assert [file.path for file in info.files] == [("_", "x..y"), ("_", "X..1.Y")]


def test_optional_fields_are_kept_when_good_and_dropped_when_bad() -> None:
    good = parse(SINGLE, source=b"HUB", similar=[bytes(20), b"x", 1, bytes(32)], collections=[b"c", 1, b""])
    assert (good.source, good.similar, good.collections) == ("HUB", (bytes(20), bytes(32)), ("c",))
    bad = parse(SINGLE, source=1, similar=b"x", collections={b"a": 1})
    assert (bad.source, bad.similar, bad.collections) == (None, (), ())
