import json
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode


@pytest.fixture
def torrent(tmp_path: Path) -> Path:
    """A torrent with 25 files."""
    files = [{"length": number, "path": ["sub", f"{number:02}"]} for number in range(25)]
    info = {"name": "album", "piece length": 16384, "files": files, "pieces": bytes(20), "private": 1}
    outside = {"announce": "http://t/x", "comment": "fine", "creation date": 1_700_000_000, "created by": "me"}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info, **outside}))
    return path


def test_a_torrent_is_told_in_aligned_lines(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(torrent)]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Name          album"
    assert "Size          300 B (300 bytes)" in lines
    assert "Created       2023-11-14 22:13:20 UTC" in lines
    assert "Private       yes: peers come from the trackers alone" in lines
    assert "Tracker 1     http://t/x" in lines
    assert "Files         25" in lines
    assert lines[-1] == "  and 5 more: see `bittern files`"
    assert not [line for line in lines if line != line.rstrip()]


def test_json_is_one_document(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(torrent), "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["private"], len(found["files"])) == ("album", True, 25)


def test_a_magnet_and_a_hash_are_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", f"magnet:?xt=urn:btih:{'ab' * 20}&dn=Film"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"Name          Film\nInfo hash v1  {'ab' * 20}\n")
    assert main(["info", "cd" * 32]) == ExitCode.OK
    assert f"Info hash v2  {'cd' * 32}\n" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", [2**62, 2**40, 0])
def test_any_date_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: int) -> None:
    info = {"name": "a", "piece length": 16384, "length": 1, "pieces": bytes(20)}
    (tmp_path / "a").write_bytes(encode({"info": info, "creation date": seconds}))
    assert main(["info", str(tmp_path / "a")]) == ExitCode.OK
    assert "Created" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("gone.torrent", ExitCode.NOT_FOUND),
        (".", ExitCode.USAGE),
        ("garbage", ExitCode.BAD_BENCODE),
        ("empty", ExitCode.BAD_TORRENT),
        ("magnet:?dn=x", ExitCode.BAD_MAGNET),
        ("https://example.org/a.torrent", ExitCode.USAGE),
    ],
)
def test_each_failure_has_its_code_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: str, code: ExitCode
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("garbage").write_bytes(b"\x89PNG")
    Path("empty").write_bytes(b"d4:infodee")
    assert main(["info", source]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("bittern: ")
    assert captured.err.count("\n") == 1


def test_all_that_a_link_says_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", f"magnet:?xt=urn:btih:{'ab' * 20}&xs=http://h/a.torrent&x.pe=h:1&so=0,2"]) == ExitCode.OK
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["Peer", "h:1"] in rows
    assert any(row[1].split() == ["at", "http://h/a.torrent"] for row in rows)
    assert ["Selects", "2 files"] in rows
