"""Lists of addresses, in the forms that people share."""

import gzip
import io
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import IpListError
from bittern.codec import ip_list
from bittern.codec.ip_list import IpList, IpListReader


def _read(*texts: bytes) -> IpList:
    reader = IpListReader()
    for text in texts:
        reader.read("list", [text])
    return reader.result()


@pytest.mark.parametrize(
    ("line", "inside", "outside"),
    [
        (b"Some Organisation:1.2.4.0-1.2.4.255", "1.2.4.9", "1.2.5.0"),
        (b"Name: with - colons : and dashes:1.2.4.0-1.2.4.255", "1.2.4.9", "1.2.5.0"),
        (b":1.2.4.0-1.2.4.255", "1.2.4.255", "1.2.3.255"),
        (b"N\xe4me 10.0.0.1-10.0.0.2:1.2.4.0-1.2.4.255", "1.2.4.0", "10.0.0.1"),
        (b"1.2.4.0-1.2.4.255", "1.2.4.0", "1.2.3.255"),
        (b"1.2.4.0 - 1.2.4.255\r", "1.2.4.0", "1.2.3.255"),
        (b"001.002.004.000 - 001.002.004.255 , 000 , some text: here", "1.2.4.7", "1.2.5.0"),
        (b"001.002.004.000 - 001.002.004.255 , 127 , text", "1.2.4.7", "1.2.5.0"),
        (b"001.002.004.000-001.002.004.255,80", "1.2.4.7", "1.2.5.0"),
        (b"1.2.4.0/24", "1.2.4.255", "1.2.5.0"),
        (b"1.2.4.77/24 ; SBL12345", "1.2.4.255", "1.2.5.0"),
        (b"\t1.2.4.1   # a comment", "1.2.4.1", "1.2.4.2"),
        (b"0.0.0.0/0", "255.255.255.255", "::1"),
        (b"2001:db8::/32", "2001:db8:1::", "2001:db9::"),
        (b"2001:db8::1", "2001:db8::1", "2001:db8::2"),
        (b"2001:db8::1 - 2001:db8::5 # five", "2001:db8::3", "2001:db8::6"),
        (b"Org, Inc:2001:db8::1-2001:db8::5", "2001:db8::3", "2001:db8::6"),
        (b"bad:2001:db8::1-2001:db8::5", "2001:db8::3", "bad:2001:db8::1"),
        (b"2001:db8::1 - 2001:db8::5 , 100 , a-b", "2001:db8::3", "2001:db8::6"),
        (b"%s:2001:db8::1-2001:db8::5" % (b"x:" * 400), "2001:db8::3", "2001:db8::6"),
    ],
)
def test_a_line_of_any_form_is_read(line: bytes, inside: str, outside: str) -> None:
    found = _read(line)
    assert (found.entries, found.bad, found.first_bad) == (1, 0, "")
    assert inside in found.ranges
    assert outside not in found.ranges


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"1.2.3",
        b"1.2.3.256",
        b"1.2.3.4-1.2.3.999",
        b"1.2.3.9-1.2.3.4",
        b"1.2.3.4/33",
        b"x:1.2.3.9 - 1.2.3.4 , 000 , text",
        b"1.2.3.4-",
        b"1.2.3.4.5",
        b"1.2.3.4-2001:db8::",
        b"2001:db8::/129",
        b"2001:db8::5-2001:db8::1",
        b"2001:db8::1-",
        b"-2001:db8::1",
        b"fe80::1%eth0",
        b"9" * 70_000,
    ],
)
def test_a_bad_line_is_named_and_the_others_count(line: bytes) -> None:
    found = _read(b"# a list\n10.0.0.0/8\n\n" + line + b"\n11.0.0.0-11.0.0.9\nalso bad\n")
    assert (found.entries, found.bad) == (2, 2)
    assert found.first_bad == f"list, line 4: {line[:80].decode('ascii', 'replace')}"
    assert "10.1.1.1" in found.ranges
    assert "11.0.0.9" in found.ranges


def test_the_first_bad_line_is_numbered_in_its_list_however_far_down_it_stands() -> None:
    good = b"".join(b"Some name:10.%d.%d.0-10.%d.%d.9\n" % (n >> 8, n & 255, n >> 8, n & 255) for n in range(5000))
    assert _read(good, good + b"what?\n" + good + b"more").first_bad == "list, line 5001: what?"


def test_ranges_that_a_dat_list_allows_are_left_out() -> None:
    found = _read(b"1.0.0.0 - 1.0.0.9 , 128 , friends\n1.0.1.0 - 1.0.1.9 , 000 , others\n2001:: - 2001::5 , 200 , x\n")
    assert (found.entries, found.allowed, found.bad) == (1, 2, 0)
    assert "1.0.0.5" not in found.ranges
    assert "1.0.1.5" in found.ranges


def test_comments_and_empty_lines_mean_nothing() -> None:
    found = _read(b"\xef\xbb\xbf# one\n; two\n//three\n\n \t\r\n10.0.0.1\n")
    assert (found.entries, found.bad, len(found.ranges)) == (1, 0, 1)
    assert (_read(b"").entries, _read(b"\n\n# nothing yet\n").bad) == (0, 0)


def test_what_is_no_list_at_all_is_refused() -> None:
    with pytest.raises(IpListError, match="list: this is no list of addresses"):
        _read(b"<html>\n<body>404</body>\n")


def test_several_lists_are_one() -> None:
    found = _read(b"10.0.0.0/9\n", b"10.128.0.0/9\n11.0.0.0/8")
    assert (found.entries, len(found.ranges)) == (3, 1)


_LINES = b"# list\nsome:10.0.0.0-10.0.0.9\nbad line\n2001:db8::/32\n11.0.0.0 - 11.0.0.9 , 000 , x\n" * 50
_HALF = len(_LINES) // 2


def _packed(kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(_LINES)
    if kind == "gzip twice":
        return gzip.compress(_LINES[:700]) + gzip.compress(_LINES[700:])
    if kind == "plain":
        return _LINES
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if kind == "zip stored" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("lists/one.txt", _LINES[:_HALF])
        archive.writestr("two.dat", _LINES[_HALF:])
    return buffer.getvalue()


@given(
    st.sampled_from(["plain", "gzip", "gzip twice", "zip", "zip stored"]),
    st.lists(st.integers(0, len(_LINES)), max_size=8),
)
@settings(max_examples=60)
def test_however_it_is_packed_and_cut_the_same_is_read(kind: str, cuts: list[int]) -> None:
    data = _packed(kind)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = IpListReader()
    reader.read("list", (data[a:b] for a, b in pairwise(edges)))
    found = reader.result()
    assert (found.entries, found.bad, len(found.ranges)) == (150, 50, 3)


def test_a_list_that_breaks_off_or_is_damaged_is_refused() -> None:
    whole = gzip.compress(_LINES)
    with pytest.raises(IpListError, match="list: it breaks off"):
        _read(whole[:-20])
    with pytest.raises(IpListError, match="list: it is damaged"):
        _read(whole[:-8] + b"12345678")


def test_a_bomb_is_refused_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ip_list, "MOST_BYTES", 1 << 20)
    with pytest.raises(IpListError, match="longer than 1 MiB when unpacked"):
        _read(gzip.compress(b"# " * (1 << 20)))


def test_more_ranges_than_anybody_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ip_list, "MOST_RANGES", 100)
    with pytest.raises(IpListError, match="list: more than 100 ranges"):
        _read(b"10.0.0.1\n" * 101)


def test_usual_lines_take_no_step_of_python_each() -> None:
    """The guard of the speed that `bench/ip_filter.py` measures: calls of Python functions, for 10,000 more lines."""

    def calls(lines: int) -> int:
        text = b"".join(
            b"Name %d:10.%d.%d.0-10.%d.%d.9\n" % (n, n >> 8, n & 255, n >> 8, n & 255) for n in range(lines)
        )
        chunks = [text[at : at + 65536] for at in range(0, len(text), 65536)]
        return _calls(iter(chunks))

    assert calls(20_000) - calls(10_000) < 100


def _calls(chunks: Iterator[bytes]) -> int:
    count = 0

    def profile(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    reader = IpListReader()
    sys.setprofile(profile)
    try:
        reader.read("list", chunks)
    finally:
        sys.setprofile(None)
    return count
