"""URLs and ranges: every byte of every run of pieces is in one range, pads apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.wire.webseed import FileRange, Origin, WebLayout, WebUrl

PIECE = 16384


def info_v1(sizes: list[int], *, piece_size: int = PIECE, pads: frozenset[int] = frozenset()) -> Info:
    files = [
        {"length": size, "path": ["d", f"{number}"], **({"attr": "p"} if number in pads else {})}
        for number, size in enumerate(sizes)
    ]
    count = -(-sum(sizes) // piece_size)
    return Info.parse(encode({"files": files, "name": "n", "piece length": piece_size, "pieces": bytes(20 * count)}))


def info_v2(sizes: list[int], piece_size: int = PIECE) -> Info:
    tree = {
        f"{number:03}": {"": {"length": size, "pieces root": bytes([number + 1]) * 32}}
        for number, size in enumerate(sizes)
    }
    return Info.parse(encode({"file tree": tree, "meta version": 2, "name": "n", "piece length": piece_size}))


@pytest.mark.parametrize(
    ("text", "target", "origin"),
    [
        ("http://a/", "/", Origin(False, "a", 80)),
        ("https://A.example:8443/x y?q=1#part", "/x%20y?q=1", Origin(True, "a.example", 8443)),
        ("HTTP://a", "/", Origin(False, "a", 80)),
        ("https://[::1]/ü", "/%C3%BC", Origin(True, "::1", 443)),
        ("http://bücher.example/a%2Fb", "/a%2Fb", Origin(False, "xn--bcher-kva.example", 80)),
        ("http://a/\r\nHost: b", "/%0D%0AHost:%20b", None),
    ],
)
def test_urls_become_what_a_request_says(text: str, target: str, origin: Origin | None) -> None:
    url = WebUrl.parse(text)
    assert url is not None
    assert url.target == target
    assert origin in (None, url.origin)
    assert all("!" <= char <= "~" for char in str(url))


@pytest.mark.parametrize(
    "text",
    [
        "", "ftp://a/", "http://", "http:///x", "http://a:0/", "http://a:99999/", "http://a:b/", "http://[::1/",
        "file:///etc/passwd", "//a/", "http://a b/", "http://a%0d%0ab/", "http://" + "a" * 9000,
        "http://" + "ü" * 300 + "/",
    ],
)  # fmt: skip
def test_what_is_no_http_url_is_none(text: str) -> None:
    assert WebUrl.parse(text) is None


def test_who_may_do_what_is_told_to_this_server_alone() -> None:
    url = WebUrl.parse("http://me:a%40b@one/x/y")
    assert url is not None
    assert url.user == b"me:a@b"
    assert "me" not in str(url)
    near, far = url.leads_to("z?q"), url.leads_to("http://two/z")
    assert near is not None
    assert far is not None
    assert (near.target, near.user) == ("/x/z?q", b"me:a@b")
    assert (str(far), far.user) == ("http://two/z", None)
    assert url.leads_to("ftp://one/z") is None
    assert url.leads_to("http://[::\xa9]/") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a/pub/", "http://a/pub/n/d/1"),
        ("http://a/pub", "http://a/pub/n/d/1"),
        ("http://a/pub/?key=x", "http://a/pub/n/d/1?key=x"),
    ],
)
def test_of_many_files_the_url_is_the_folder_that_holds_them(text: str, expected: str) -> None:
    url = WebUrl.parse(text)
    assert url is not None
    assert str(WebLayout(info_v1([1, 2])).url_of(url, 1)) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("http://a/pub/", "http://a/pub/a%20%C3%BC%23%3F"), ("http://a/x.iso", "http://a/x.iso")]
)
def test_of_one_file_the_url_is_its_own_or_that_of_its_folder(text: str, expected: str) -> None:
    info = Info.parse(encode({"length": 1, "name": "a ü#?", "piece length": PIECE, "pieces": bytes(20)}))
    url = WebUrl.parse(text)
    assert url is not None
    assert str(WebLayout(info).url_of(url, 0)) == expected


SIZES = st.lists(st.sampled_from([0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]), min_size=1, max_size=8)


def covered(ranges: list[FileRange], info: Info) -> list[int]:
    """Bytes of the torrent in these ranges, in their order; each lies where its file does."""
    found: list[int] = []
    for part in ranges:
        file = info.files[part.file]
        assert part.length >= 1
        assert 0 <= part.first <= part.first + part.length <= part.size == file.length
        assert part.offset == file.offset + part.first
        assert part.pad == file.pad
        assert part.whole == (part.length == file.length)
        found += range(part.offset, part.offset + part.length)
    return found


@given(sizes=SIZES.filter(any), data=st.data(), kind=st.sampled_from(["joined", "pads", "v2"]))
def test_a_run_of_pieces_is_its_bytes_in_order(sizes: list[int], data: st.DataObject, kind: str) -> None:
    info = info_v2(sizes) if kind == "v2" else info_v1(sizes, pads=frozenset({1, 4} if kind == "pads" else ()))
    geometry = info.geometry
    first = data.draw(st.integers(0, geometry.piece_count - 1))
    pieces = range(first, data.draw(st.integers(first + 1, geometry.piece_count)))
    ranges = WebLayout(info).ranges_of(pieces)
    expected = [
        at
        for piece in pieces
        for at in range(geometry.offset(piece), geometry.offset(piece) + geometry.piece_length(piece))
    ]
    assert covered(ranges, info) == expected
    files = [part.file for part in ranges]
    assert files == sorted(set(files))  # one range a file: joined over the borders of pieces


def test_no_pieces_are_no_ranges() -> None:
    assert WebLayout(info_v1([5])).ranges_of(range(0)) == []


def test_a_file_knows_its_pieces() -> None:
    layout = WebLayout(info_v1([PIECE - 1, 2, 0, 3 * PIECE]))
    assert [layout.pieces_of(file) for file in range(4)] == [range(1), range(2), range(0), range(1, 5)]


def test_a_port_that_is_the_rule_is_not_said() -> None:
    origin = Origin(True, "a", 443)
    assert [str(origin), str(origin._replace(port=80)), str(replace_host(origin))] == ["a", "a:80", "[::1]"]


def replace_host(origin: Origin) -> Origin:
    return origin._replace(host="::1")
