"""URLs as a request carries them."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.urls import ascii_host, ascii_url, escaped


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a/b c?d=e f#g", "http://a/b%20c?d=e%20f#g"),
        ("http://a/100%25/ü", "http://a/100%25/%C3%BC"),
        ("http://me:x@bücher.example:81/ü", "http://me:x@xn--bcher-kva.example:81/%C3%BC"),
        ("http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:db8::1]:8/a", "http://[2001:db8::1]:8/a"),
        ("http://a_b/", "http://a_b/"),
        ("/there\r\nHost: b", "/there%0D%0AHost:%20b"),
    ],
)
def test_a_url_is_escaped_where_it_must_be_and_its_host_is_a_name(url: str, expected: str) -> None:
    assert ascii_url(url) == expected == ascii_url(expected)


@pytest.mark.parametrize("host", ["a%40b", "a%2fb", "a%3ab", "a%23", "ü%40b", "ü" * 300])
def test_what_is_escaped_in_a_host_does_not_become_another_part_of_the_url(host: str) -> None:
    with pytest.raises(ValueError, match=r"host|label"):
        ascii_url(f"http://{host}/")


def test_a_host_in_another_script_has_a_name_in_ascii() -> None:
    assert (ascii_host("bücher.example"), ascii_host("1.2.3.4")) == ("xn--bcher-kva.example", "1.2.3.4")


@given(st.binary(max_size=50))
def test_any_bytes_become_what_may_stand_in_a_request_line(data: bytes) -> None:
    text = escaped(data)
    assert all("!" <= character <= "~" for character in text)
    assert escaped(text) == text


@given(st.text(max_size=20))
def test_a_path_says_what_it_said(path: str) -> None:
    path = path.replace("%", "").replace("?", "").replace("#", "")
    assert unquote(urlsplit(f"http://a/{escaped(path)}").path) == f"/{path}"
