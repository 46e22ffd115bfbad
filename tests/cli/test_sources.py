from pathlib import Path

import pytest

from bittern.base.errors import BencodeError, MagnetError, MetainfoError
from bittern.cli.failures import UsageError
from bittern.cli.sources import check_source, is_remote, read_source
from bittern.codec.bencode import encode
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo

HASH = "ab" * 20


def _torrent(path: Path) -> Path:
    info = {"name": "a", "piece length": 16384, "length": 1, "pieces": bytes(20)}
    path.write_bytes(encode({"info": info}))
    return path


def test_a_path_is_a_torrent_file(tmp_path: Path) -> None:
    found = read_source(str(_torrent(tmp_path / "a.torrent")))
    assert isinstance(found, Metainfo)
    assert found.info.name == "a"


def test_a_link_is_a_magnet() -> None:
    assert read_source(f"magnet:?xt=urn:btih:{HASH}") == read_source(f"MAGNET:?xt=urn:btih:{HASH}")


@pytest.mark.parametrize(("digits", "version"), [(HASH, 1), (HASH.upper(), 1), ("cd" * 32, 2)])
def test_hexadecimal_digits_are_an_info_hash(digits: str, version: int) -> None:
    found = read_source(digits)
    assert isinstance(found, Magnet)
    named = found.info_hash_v1 if version == 1 else found.info_hash_v2
    assert str(named) == digits.lower()


def test_a_file_named_like_a_hash_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _torrent(tmp_path / HASH)
    assert isinstance(read_source(HASH), Metainfo)


def test_what_is_wrong_with_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"<html>")
    with pytest.raises(BencodeError) as caught:
        read_source(str(tmp_path / "a"))
    assert caught.value.__notes__ == [str(tmp_path / "a")]
    (tmp_path / "a").write_bytes(b"de")
    with pytest.raises(MetainfoError) as invalid:
        read_source(str(tmp_path / "a"))
    assert invalid.value.__notes__ == [str(tmp_path / "a")]


def test_a_broken_link_is_refused() -> None:
    with pytest.raises(MagnetError):
        read_source("magnet:?dn=x")


def test_what_only_the_network_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base32 = "A2" * 16
    assert all(map(is_remote, ["MAGNET:?xt=x", "https://h/a", HASH, "cd" * 32, base32]))
    assert read_source(base32) == read_source(f"magnet:?xt=urn:btih:{base32}")
    _torrent(tmp_path / base32)
    assert not any(map(is_remote, [base32, "a.torrent", "http", "ab" * 21]))


def test_a_url_is_not_fetched() -> None:
    with pytest.raises(UsageError, match="download it first"):
        read_source("https://example.org/a.torrent")


def test_a_long_link_that_was_mistyped_is_no_name_of_a_file() -> None:
    with pytest.raises(UsageError, match="a magnet link begins with"):
        check_source(f"agnet:?xt=urn:btih:{HASH}" + "&tr=http%3A%2F%2Ftracker.example%2Fannounce" * 20)
