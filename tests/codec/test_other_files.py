"""What is no torrent is called what it is."""

import pytest

from bittern.base.errors import BencodeError, NotATorrentError
from bittern.codec.metainfo import Metainfo
from bittern.codec.other_files import what_else


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "an empty file"),
        (bytes(4096), "a file of nothing but zero bytes"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\xef\xbb\xbf \r\n<html>", "a web page"),
        (b"magnet:?xt=urn:btih:" + b"ab" * 20, "a text with a magnet link"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"PK\x03\x04\x14", "a zip archive"),
        (b"just words", None),
    ],
)
def test_a_file_is_told_by_its_beginning(data: bytes, what: str | None) -> None:
    assert what_else(data) == what
    with pytest.raises(NotATorrentError) as caught:
        Metainfo.from_bytes(data)
    assert str(caught.value) == (f"this is {what}, not a torrent" if what else "this is not a torrent")
    assert (caught.value.reason, caught.value.offset) == ("not a dictionary", 0)


def test_a_damaged_torrent_is_none_of_these() -> None:
    with pytest.raises(BencodeError) as caught:
        Metainfo.from_bytes(b"d4:infod6:length10")
    assert not isinstance(caught.value, NotATorrentError)
