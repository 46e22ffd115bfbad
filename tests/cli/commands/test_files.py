import json
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode


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


def test_a_magnet_lists_no_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", "ab" * 20]) == ExitCode.USAGE
    assert "does not list files" in capsys.readouterr().err
