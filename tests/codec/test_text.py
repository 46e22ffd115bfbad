import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.codec.text import MAX_URL, clean_url, decode_text


@given(st.text())
def test_utf_8_is_read_whatever_encoding_is_declared(text: str) -> None:
    for encoding in (None, "gbk", "nonsense", ""):
        assert decode_text(text.encode(), encoding) == text


@given(st.binary(), st.binary())
def test_bytes_that_are_no_utf_8_stay_different_names(one: bytes, other: bytes) -> None:
    texts = decode_text(b"\xff" + one), decode_text(b"\xff" + other)
    assert (texts[0] == texts[1]) == (one == other)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("GBK", "电影"), ("windows-1251", "Фильм"), ("Shift_JIS", "映画"), ("BIG5", "電影"), ("EUC_KR", "영화")],
)
def test_a_declared_legacy_encoding_is_used(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding), encoding) == text


@pytest.mark.parametrize("encoding", ["utf-16", "punycode", "idna", "unicode_escape", "rot13", "../x", "x" * 9999])
def test_codecs_that_are_no_legacy_encodings_are_not_run(encoding: str) -> None:
    assert decode_text(b"\xff\\u0041-a", encoding) == "ÿ\\u0041-a"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://tracker.example/announce", "http://tracker.example/announce"),
        (" udp://tracker.example:80\n", "udp://tracker.example:80"),
        ("http://seed.example/a file", "http://seed.example/a%20file"),
        ("", None),
        ("tracker.example", None),
        ("://x", None),
        ("http://", None),
        ("http://a/\x1b[2J", None),
        ("http://a/\u202ex", None),
        ("http://" + "a" * MAX_URL, None),
    ],
)
def test_urls_are_absolute_and_printable(text: str, url: str | None) -> None:
    assert clean_url(text) == url
