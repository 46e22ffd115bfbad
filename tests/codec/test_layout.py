import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import MetainfoError
from bittern.codec.bencode import Value
from bittern.codec.layout import Entry, File, aligned, entries_v1, entries_v2, merged, place

ROOT = b"r" * 32
PIECE = 16384


def entry(path: str, length: int = 0, attributes: bytes = b"", root: bytes | None = None) -> Entry:
    return Entry((tuple(path.encode().split(b"/")),), length, attributes, (), root)


def listed(*files: dict[bytes, Value]) -> dict[bytes, Value]:
    return {b"files": list(files)}


def leaf(**fields: Value) -> dict[bytes, Value]:
    return {b"": {key.replace("_", " ").encode(): value for key, value in fields.items()}}


def test_a_single_file_takes_its_attributes_from_the_info_dictionary() -> None:
    assert entries_v1({b"length": 5, b"attr": b"x"}, b"n") == [Entry(((b"n",),), 5, b"x", (), None)]


def test_files_are_listed_with_every_spelling_of_their_path() -> None:
    item: dict[bytes, Value] = {b"length": 1, b"path": [b"a", b"\xff"], b"path.utf-8": [b"a", b"b"]}
    assert entries_v1(listed(item), b"n") == [Entry(((b"a", b"b"), (b"a", b"\xff")), 1, b"", (), None)]


def test_a_bad_utf_8_path_gives_way_to_the_plain_one() -> None:
    item: dict[bytes, Value] = {b"length": 1, b"path": [b"a"], b"path.utf-8": [1]}
    assert entries_v1(listed(item), b"n")[0].names == ((b"a",),)


def test_a_symlink_has_no_bytes_whatever_its_length_says() -> None:
    item: dict[bytes, Value] = {b"length": 7, b"attr": b"l", b"path": [b"a"], b"symlink path": [b"b", b"c"]}
    assert entries_v1(listed(item), b"n") == [Entry(((b"a",),), 0, b"l", (b"b", b"c"), None)]
    del item[b"length"]
    assert entries_v1(listed(item), b"n")[0].length == 0


def test_a_pad_needs_no_path() -> None:
    assert entries_v1(listed({b"length": 7, b"attr": b"p"}), b"n")[0].pad


@pytest.mark.parametrize(
    "info",
    [
        {},
        {b"length": 1, b"files": []},
        {b"length": -1},
        {b"length": b"1"},
        {b"files": []},
        {b"files": {}},
        {b"files": [1]},
        {b"files": [{}]},
        {b"files": [{b"length": 1}]},
        {b"files": [{b"length": 1, b"path": []}]},
        {b"files": [{b"length": 1, b"path": b"a"}]},
        {b"files": [{b"length": 1, b"path": [1]}]},
        {b"files": [{b"length": 1, b"path": [b"a"] * 101}]},
        {b"files": [{b"path": [b"a"]}]},
        {b"files": [{b"length": -1, b"path": [b"a"]}]},
        {b"files": [{b"length": 0, b"path": [b"a"], b"attr": b"l"}]},
        {b"files": [{b"length": 0, b"path": [b"a"], b"attr": b"l", b"symlink path": []}]},
        {b"files": [{b"attr": b"p", b"length": -1}]},
    ],
)
def test_file_lists_that_are_none_are_refused(info: dict[bytes, Value]) -> None:
    with pytest.raises(MetainfoError):
        entries_v1(info, b"n")


def test_a_file_tree_is_walked_in_its_own_order() -> None:
    tree: dict[bytes, Value] = {
        b"a": leaf(length=1, pieces_root=ROOT),
        b"d": {b"": {b"unknown": 1}, b"b": leaf(length=0), b"e": {b"c": leaf(attr=b"l", symlink_path=[b"a"])}},
        b"empty": {},
        b"z": leaf(length=2, pieces_root=ROOT, attr=b"x"),
    }
    assert entries_v2(tree) == [
        entry("a", 1, root=ROOT),
        entry("d/b"),
        Entry(((b"d", b"e", b"c"),), 0, b"l", (b"a",), None),
        entry("z", 2, b"x", ROOT),
    ]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {b"a": {}},
        [],
        leaf(length=1, pieces_root=ROOT),
        {b"a": 1},
        {b"a": leaf()},
        {b"a": {b"": []}},
        {b"a": {b"": 1, b"b": leaf(length=0)}},
        {b"a": leaf(length=-1)},
        {b"a": leaf(length=b"1")},
        {b"a": leaf(length=1)},
        {b"a": leaf(length=1, pieces_root=ROOT[:31])},
        {b"a": leaf(length=1, pieces_root=bytes(32))},
        {b"a": leaf(length=1, pieces_root=ROOT, attr=b"p")},
        {b"a": leaf(length=1, pieces_root=ROOT) | {b"b": leaf(length=0)}},
    ],
)
def test_file_trees_that_are_none_are_refused(tree: Value) -> None:
    with pytest.raises(MetainfoError):
        entries_v2(tree)


def test_a_file_tree_out_of_order_is_refused() -> None:
    """Who sorts it would number the pieces in another way, under the same info hash."""
    inner: Value = {b"b": leaf(length=0), b"a": leaf(length=0)}
    trees: list[Value] = [inner, {b"d": inner}]
    for tree in trees:
        with pytest.raises(MetainfoError, match="order"):
            entries_v2(tree)


@given(st.lists(st.integers(0, 3 * PIECE), min_size=1, max_size=8))
def test_every_file_of_a_v2_torrent_begins_a_piece_and_gaps_are_pads(lengths: list[int]) -> None:
    entries = [entry(f"{number}", length, root=ROOT) for number, length in enumerate(lengths)]
    files = place(aligned(entries, PIECE), None)
    assert [file.length for file in files if not file.pad] == lengths
    assert all(file.offset % PIECE == 0 for file in files if file.length and not file.pad)
    assert all(0 < file.length < PIECE for file in files if file.pad)
    ends = [0, *(file.offset + file.length for file in files)]
    assert [file.offset for file in files] == ends[:-1]
    assert not any(file.pad for file in files[-1:])


V2 = [entry("a", 5, root=ROOT), entry("e"), entry("b", PIECE, root=ROOT), entry("c", 3, root=ROOT)]
PAD = entry("pad", PIECE - 5, b"p")


@pytest.mark.parametrize(
    "v1",
    [
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 3)],
        [entry("a", 5), entry("e"), PAD, entry("b", PIECE), entry("c", 3)],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 3), entry("p", PIECE - 3, b"p")],
    ],
    ids=["pad before the empty file", "pad after the empty file", "pad at the end"],
)
def test_a_hybrid_takes_the_v1_list_with_the_v2_roots(v1: list[Entry]) -> None:
    result = merged(v1, V2, PIECE)
    assert [(item.names, item.length) for item in result] == [(item.names, item.length) for item in v1]
    assert [item.root for item in result if item.length and not item.pad] == [ROOT] * 3


@pytest.mark.parametrize(
    "v1",
    [
        [],
        V2,
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE)],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 3), entry("d")],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 4)],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("x", 3)],
        [entry("a", 5), PAD, entry("e"), entry("c", 3), entry("b", PIECE)],
        [entry("a", 5), PAD, entry("b", PIECE), entry("e"), entry("c", 3)],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("p", PIECE, b"p"), entry("c", 3)],
        [entry("a", 5), entry("p", 9, b"p"), entry("e"), entry("b", PIECE), entry("c", 3)],
        [entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 3), entry("p", PIECE, b"p")],
        [PAD, entry("a", 5), PAD, entry("e"), entry("b", PIECE), entry("c", 3)],
        [entry("a", 5), PAD, Entry(((b"e",),), 0, b"l", (b"t",), None), entry("b", PIECE), entry("c", 3)],
    ],
)
def test_a_hybrid_of_two_different_torrents_is_refused(v1: list[Entry]) -> None:
    with pytest.raises(MetainfoError):
        merged(v1, V2, PIECE)


def test_files_are_placed_one_after_the_other_with_safe_paths() -> None:
    entries = [
        entry("../a", 5, b"xh"),
        PAD,
        PAD,
        Entry(((b"l",),), 0, b"l", (b"..", b"t"), None),
        entry("_/A", 7, root=ROOT),
    ]
    assert place(entries, None) == (
        File(("_", "a"), 5, 0, executable=True, hidden=True),
        File((".pad", str(PIECE - 5)), PIECE - 5, 5, pad=True),
        File((".pad", str(PIECE - 5)), PIECE - 5, PIECE, pad=True),
        File(("l",), 0, 2 * PIECE - 5, symlink=("_", "t")),
        File(("_", "A.1"), 7, 2 * PIECE - 5, pieces_root=ROOT),
    )


def test_more_bytes_than_63_bits_count_are_refused() -> None:
    assert place([entry("a", 2**63 - 1)], None)
    with pytest.raises(MetainfoError):
        place([entry("a", 2**62), entry("b", 2**62)], None)
