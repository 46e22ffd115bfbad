import json
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode
from tests.session.rig import album, seeding, write_torrent
from tests.session.test_sources import serving

LOCAL = ("--listen", "127.0.0.1", "--port", "0", "--no-dht")


@pytest.fixture
def torrent(tmp_path: Path) -> Path:
    """A file, a pad, a link and another file."""
    files = [
        {"length": 16_000, "path": ["a"]},
        {"length": 384, "path": [".pad", "384"], "attr": "p"},
        {"length": 0, "path": ["l"], "attr": "l", "symlink path": ["a"]},
        {"length": 2048, "path": ["sub", "b"]},
    ]
    info = {"name": "x", "piece length": 16384, "files": files, "pieces": bytes(40)}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info}))
    return path


def test_files_are_numbered_and_pads_are_not_shown(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(torrent)]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "1    15.6 KiB  a",
        "2         0 B  l -> a",
        "3     2.0 KiB  sub/b",
    ]


def test_json_has_the_same_numbers(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(torrent), "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found[2] == {"number": 3, "path": "sub/b", "size": 2048}


def test_what_a_link_leads_to_is_asked_of_peers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meta = write_torrent(album(tmp_path / "src" / "album"), tmp_path / "a.torrent")
    with seeding(meta, tmp_path / "src", tmp_path / "seed") as peer:
        assert main(["files", str(meta.info.info_hash_v1), *LOCAL, "--peer", peer]) == ExitCode.OK
        assert main(["files", str(meta.info.info_hash_v1), *LOCAL, "--json", "--peer", peer]) == ExitCode.OK
    out = capsys.readouterr().out
    listed = [
        "1    97.7 KiB  one.bin",
        "2        10 B  two/b.bin",
        "3    68.4 KiB  two/c.bin",
        "4         0 B  two/empty.txt",
    ]
    assert out.splitlines()[:4] == listed
    assert json.loads(out.partition("empty.txt\n")[2])[1] == {"number": 2, "path": "two/b.bin", "size": 10}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.torrent", "seed", "src", "state"]


def test_a_torrent_by_url_is_listed_too(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving({"/a.torrent": (200, torrent.read_bytes()), "/page": (200, b"<!doctype html>")}) as url:
        assert main(["files", f"{url}/a.torrent", *LOCAL]) == ExitCode.OK
        assert capsys.readouterr().out.count("\n") == 3
        assert main(["files", f"{url}/page", *LOCAL]) == ExitCode.NETWORK
        said = f"bittern: {url}/page: there is a web page, not a .torrent file; check the address"
        assert capsys.readouterr().err.startswith(said)


def test_a_link_that_nobody_can_be_asked_about_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", "ab" * 20, "--listen", "127.0.0.1", "--no-dht"]) == ExitCode.NETWORK
    assert "no peer is named" in capsys.readouterr().err
    words = ["files", "ab" * 20, *LOCAL, "--peer", "127.0.0.1:1", "--timeout", "0.5"]
    assert main(words) == ExitCode.NETWORK
    assert "nothing came for 0.5 s" in capsys.readouterr().err
