from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import BencodeError, BitternError, MetainfoError
from bittern.base.geometry import BLOCK
from bittern.codec.bencode import Value, encode
from bittern.codec.filemap import FileMap
from bittern.codec.info import Info
from bittern.codec.magnet import Magnet
from bittern.codec.merkle import TreeBuilder, leaf_hashes
from bittern.codec.metainfo import MAX_URLS, Metainfo
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import scan

INFO: dict[bytes, Value] = {b"name": b"n", b"piece length": BLOCK, b"length": 5, b"pieces": bytes(20)}


def torrent(**fields: object) -> Metainfo:
    return Metainfo.from_bytes(encode({"info": INFO} | {key.replace("_", " "): field for key, field in fields.items()}))


def test_the_least_torrent() -> None:
    meta = torrent()
    assert meta.info.raw == encode(INFO)
    assert meta == Metainfo(Info.parse(encode(INFO)))


def test_a_file_is_loaded_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "x.torrent"
    path.write_bytes(encode({"info": INFO}))
    assert Metainfo.load(path) == Metainfo.load(str(path)) == torrent()


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BencodeError, match="more than"):
        Metainfo.load(path)


def test_every_field_is_read() -> None:
    meta = Metainfo.from_bytes(
        encode(
            {
                "info": INFO | {b"similar": [bytes(20)], b"collections": [b"c"]},
                "announce": "http://ignored.example/",
                "announce-list": [["http://a.example/", "udp://b.example:1"], ["http://c.example/"]],
                "url-list": ["http://seed.example/x y"],
                "nodes": [["router.example", 6881], ["10.0.0.1", 1]],
                "comment": "hi",
                "created by": "test",
                "creation date": 1_700_000_000,
                "similar": [bytes(20), bytes(32)],
                "collections": ["c", "d"],
                "httpseeds": ["http://old.example/"],
            }
        )
    )
    assert meta.trackers == (("http://a.example/", "udp://b.example:1"), ("http://c.example/",))
    assert meta.web_seeds == ("http://seed.example/x%20y",)
    assert meta.nodes == (("router.example", 6881), ("10.0.0.1", 1))
    assert (meta.comment, meta.created_by, meta.creation_date) == ("hi", "test", 1_700_000_000)
    assert (meta.similar, meta.collections) == ((bytes(20), bytes(32)), ("c", "d"))


@pytest.mark.parametrize(
    ("fields", "trackers"),
    [
        ({"announce": "http://a/x"}, (("http://a/x",),)),
        ({"announce": "http://a/x", "announce-list": []}, (("http://a/x",),)),
        ({"announce": "http://a/x", "announce-list": [[b"\xff"], [], 1]}, (("http://a/x",),)),
        ({"announce": "", "announce-list": "x"}, ()),
        ({"announce": 1}, ()),
        ({"announce-list": [["http://a/", "http://b/"], ["http://b/"], ["http://c/", "http://c/"]]},
         (("http://a/", "http://b/"), ("http://c/",))),
        ({"announce-list": ["http://a/", ["http://b/"]]}, (("http://a/",), ("http://b/",))),
    ],
)  # fmt: skip
def test_trackers_come_in_tiers_and_none_twice(
    fields: dict[str, object], trackers: tuple[tuple[str, ...], ...]
) -> None:
    assert torrent(**fields).trackers == trackers


@pytest.mark.parametrize(
    ("urls", "seeds"),
    [(b"http://s/", ("http://s/",)), ([b"http://s/", b"http://s/", 1, b""], ("http://s/",)), (b"", ()), (7, ())],
)
def test_web_seeds_are_a_url_or_a_list(urls: object, seeds: tuple[str, ...]) -> None:
    assert torrent(**{"url-list": urls}).web_seeds == seeds


def test_urls_are_bounded_in_number() -> None:
    many = [[f"http://t/{number}"] for number in range(MAX_URLS + 5)]
    assert len(torrent(**{"announce-list": many}).trackers) == MAX_URLS
    one_tier = [many[0], [url for tier in many for url in tier]]
    assert [len(tier) for tier in torrent(**{"announce-list": one_tier}).trackers] == [1, MAX_URLS - 1]


@pytest.mark.parametrize(
    "field",
    [
        {"nodes": [["h", 0], ["h", 65536], ["", 1], ["h"], ["h", "1"], "h", [1, 1]]},
        {"nodes": [["a\nb", 1], ["a b", 1], [b"\xff", 1]]},
        {"nodes": 1},
        {"comment": 1},
        {"created_by": []},
        {"creation_date": -1},
        {"creation_date": b"2020"},
        {"encoding": 5},
        {"similar": 1, "collections": b"x"},
        {"piece_layers": 3},
    ],
)
def test_bad_optional_fields_are_dropped(field: dict[str, object]) -> None:
    assert torrent(**field) == torrent()


def test_old_encodings_are_read_leniently() -> None:
    meta = torrent(comment="电影".encode("gbk"), encoding="GBK")
    assert meta.comment == "电影"
    assert torrent(comment=b"caf\xe9").comment == "café"
    assert torrent(**{"comment": b"old", "comment.utf-8": "new"}).comment == "new"


def test_order_and_trailing_bytes_are_forgiven_and_the_hash_is_over_the_raw_info() -> None:
    raw = b"d6:pieces20:" + bytes(20) + b"4:name1:n6:lengthi05e12:piece lengthi16384ee"
    meta = Metainfo.from_bytes(b"d4:info" + raw + b"8:announce9:http://a/e\r\n")
    assert meta.info == Info.parse(raw)
    assert meta.trackers == (("http://a/",),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"d4:infod6:lengthi1e6:lengthi2eee",
        b"d4:infode4:infodee",
        encode({"info": INFO})[:-2],
    ],
)
def test_what_is_not_bencode_or_says_two_things_is_refused(data: bytes) -> None:
    with pytest.raises(BencodeError):
        Metainfo.from_bytes(data)


@pytest.mark.parametrize("data", [b"de", b"d4:infoi1ee", b"d4:infodee"])
def test_a_file_without_a_good_info_is_refused(data: bytes) -> None:
    with pytest.raises(MetainfoError):
        Metainfo.from_bytes(data)


@given(st.data())
def test_damaged_torrents_raise_our_errors_only(data: st.DataObject) -> None:
    raw = bytearray(encode({"info": INFO, "announce-list": [["http://a/"]], "nodes": [["h", 1]], "encoding": "gbk"}))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        raw = raw or bytearray(b"d")
    try:
        meta = Metainfo.from_bytes(raw)
    except BitternError:
        return
    assert meta.info.raw in raw


def v2_torrent(*lengths: int, piece_size: int = 2 * BLOCK) -> dict[bytes, Any]:
    tree: dict[bytes, Any] = {}
    layers: dict[bytes, bytes] = {}
    for number, length in enumerate(lengths):
        builder = TreeBuilder(piece_size)
        builder.add(leaf_hashes(bytes([number]) * length))
        root, layer = builder.finish()
        tree[b"f%d" % number] = {b"": {b"length": length, b"pieces root": root}}
        if layer:
            layers[root] = layer
    info = {b"name": b"n", b"piece length": piece_size, b"meta version": 2, b"file tree": tree}
    return {b"info": info, b"piece layers": layers}


def test_piece_layers_are_kept_for_files_of_several_pieces() -> None:
    raw = v2_torrent(5, 7 * BLOCK, 2 * BLOCK)
    meta = Metainfo.from_bytes(encode(raw))
    assert dict(meta.piece_layers) == raw[b"piece layers"]
    assert [len(layer) for layer in meta.piece_layers.values()] == [4 * 32]


def test_a_layer_checks_against_sha_256_by_hand() -> None:
    data = bytes(range(256)) * 160  # two and a half blocks
    leaves = [sha256(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]
    left, right = sha256(leaves[0] + leaves[1]).digest(), sha256(leaves[2] + bytes(32)).digest()
    root = sha256(left + right).digest()
    info = {
        "name": "n",
        "piece length": 2 * BLOCK,
        "meta version": 2,
        "file tree": {"n": {"": {"length": len(data), "pieces root": root}}},
    }
    meta = Metainfo.from_bytes(encode({"info": info, "piece layers": {root: left + right}}))
    assert meta.piece_layers[root] == left + right


def test_wrong_piece_layers_are_refused() -> None:
    good = v2_torrent(7 * BLOCK, 5)
    ((root, layer),) = good[b"piece layers"].items()
    wrong: list[Any] = [
        {},
        {root: layer[:-32]},
        {root: layer + layer[:32]},
        {root: layer[:-1] + b"x"},
        {root: b""},
        {root: 1},
        {root: layer, bytes(32): bytes(32)},
        [],
    ]
    for layers in wrong:
        with pytest.raises(MetainfoError, match="piece layers"):
            Metainfo.from_bytes(encode(good | {b"piece layers": layers}))
    del good[b"piece layers"]
    with pytest.raises(MetainfoError, match="piece layers"):
        Metainfo.from_bytes(encode(good))


def test_files_with_one_root_share_a_layer_if_both_lengths_fit_it() -> None:
    good = v2_torrent(7 * BLOCK)
    tree = good[b"info"][b"file tree"]
    tree[b"twin"] = tree[b"f0"]
    assert len(Metainfo.from_bytes(encode(good)).piece_layers) == 1
    tree[b"liar"] = {b"": tree[b"f0"][b""] | {b"length": 3 * BLOCK}}
    with pytest.raises(MetainfoError, match="different lengths"):
        Metainfo.from_bytes(encode(good))


def test_info_from_a_magnet_becomes_a_torrent() -> None:
    info = Info.parse(encode(v2_torrent(7 * BLOCK)[b"info"]))
    meta = Metainfo.from_info(info, [["http://a/"], ["http://a/", "http://b/"]], ["http://s/"])
    assert meta.trackers == (("http://a/",), ("http://b/",))
    assert meta.web_seeds == ("http://s/",)
    assert not meta.piece_layers


def test_the_magnet_link_of_a_torrent_leads_back_to_it() -> None:
    meta = torrent(**{"announce-list": [["http://a/", "http://b/"], ["http://c/"]], "url-list": "http://s/"})
    magnet = meta.to_magnet()
    assert Magnet.parse(magnet.to_uri()) == magnet
    assert (magnet.wire_hash, magnet.name, magnet.exact_length) == (meta.info.wire_hash, "n", 5)
    assert (magnet.trackers, magnet.web_seeds) == (("http://a/", "http://b/", "http://c/"), ("http://s/",))


def test_ten_thousand_files_are_mapped() -> None:
    files = [{b"length": n % 7, b"path": [b"d%d" % (n % 9), b"f%d" % n]} for n in range(10_000)]
    total = sum(n % 7 for n in range(10_000))
    info = {"name": "n", "piece length": 1000, "files": files, "pieces": bytes(20 * -(-total // 1000))}
    meta = Metainfo.from_bytes(encode({"info": info}))
    spans = FileMap(meta.info.files).spans(0, total)
    assert sum(span.length for span in spans) == total == meta.info.total_size


FLAGS = {"v1_only": 64, "v2_only": 32, "hybrid": 0}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "sub").mkdir(parents=True)
    for name, size in (("a.bin", 100_000), ("empty", 0), ("sub/c", 70_000), ("zé", 5)):
        (root / name).write_bytes(bytes(range(251)) * (size // 251) + bytes(size % 251))
    return root


@pytest.mark.interop
@pytest.mark.parametrize("single", [False, True], ids=["folder", "one file"])
@pytest.mark.parametrize("kind", ["v1_only", "v2_only", "hybrid"])
def test_torrents_made_by_libtorrent_read_as_it_reads_them(content: Path, kind: str, single: bool) -> None:  # noqa: FBT001 - a parameter
    libtorrent: Any = pytest.importorskip("libtorrent")
    source = content / "a.bin" if single else content
    made = libtorrent.create_torrent(libtorrent.list_files(str(source)), 2 * BLOCK, FLAGS[kind])
    made.add_tracker("http://a.example/", 0)
    made.add_url_seed("http://seed.example/")
    libtorrent.set_piece_hashes(made, str(source.parent))
    raw = libtorrent.bencode(made.generate())
    theirs = libtorrent.load_torrent_buffer(raw).ti
    ours = Metainfo.from_bytes(raw)

    hashes = theirs.info_hashes()
    v1, v2 = ours.info.info_hash_v1, ours.info.info_hash_v2
    assert str(v1) == (str(hashes.v1) if hashes.has_v1() else "None")
    assert str(v2) == (str(hashes.v2) if hashes.has_v2() else "None")
    assert str(ours.info.wire_hash) == str(hashes.get_best() if v1 is None else hashes.v1)
    assert (ours.info.name, ours.info.piece_size) == (theirs.name(), theirs.piece_length())
    assert ours.info.geometry.piece_count == theirs.num_pieces()
    layout = theirs.layout()
    listed = [(layout.file_path(n), layout.file_size(n), layout.file_offset(n)) for n in range(layout.num_files())]
    prefix = f"{ours.info.name}/" if ours.info.multi_file else ""
    mine = [(prefix + "/".join(file.path), file.length, file.offset) for file in ours.info.files]
    assert [file for file in mine if ".pad" not in file[0]] == [file for file in listed if ".pad" not in file[0]]
    if v1 is not None:
        assert [ours.info.piece_hash(n) for n in range(theirs.num_pieces())] == [
            theirs.hash_for_piece(n) for n in range(theirs.num_pieces())
        ]
    magnet = libtorrent.parse_magnet_uri(ours.to_magnet().to_uri())
    assert (magnet.info_hashes.v1, magnet.info_hashes.v2) == (hashes.v1, hashes.v2)
    assert Magnet.parse(libtorrent.make_magnet_uri(theirs)).wire_hash == ours.info.wire_hash


def test_what_is_kept_of_a_torrent_reads_the_same() -> None:
    data = (
        b"d13:announce-listll8:http://ael8:http://bee7:comment1:x4:infod6:lengthi1e4:name1:a12:piece lengthi16384e"
        b"6:pieces20:aaaaaaaaaaaaaaaaaaaae5:nodesll7:1.2.3.4i5eee8:url-listl8:http://wee"
    )
    meta = Metainfo.from_bytes(data)
    again = Metainfo.from_bytes(meta.to_bytes())
    assert (again.info, again.trackers, again.nodes) == (meta.info, meta.trackers, meta.nodes)
    assert (again.web_seeds, again.piece_layers) == (("http://w",), meta.piece_layers)
    assert (again.trackers, again.nodes) == ((("http://a",), ("http://b",)), (("1.2.3.4", 5),))


def test_what_is_kept_of_a_v2_torrent_has_its_piece_layers(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 300)
    made = create(scan(tmp_path / "a.bin"), CreateOptions(version=Version.HYBRID, piece_size=16384)).metainfo
    again = Metainfo.from_bytes(made.to_bytes())
    assert again.piece_layers
    assert (again.info, again.piece_layers) == (made.info, made.piece_layers)
