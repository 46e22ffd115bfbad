import json
import time
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.metainfo import Metainfo


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, and the working folder set to its parent."""
    (tmp_path / "album" / "sub").mkdir(parents=True)
    (tmp_path / "album" / "one").write_bytes(bytes(40_000))
    (tmp_path / "album" / "sub" / "two.tmp").write_bytes(b"two")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "album"


def test_a_hybrid_torrent_lies_here_unless_told_otherwise(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = int(time.time())
    assert main(["create", str(content)]) == ExitCode.OK
    made = Metainfo.load("album.torrent")
    assert made.info.info_hash_v1
    assert made.info.info_hash_v2
    assert made.created_by == "bittern/0.1.0"
    assert made.creation_date is not None
    assert made.creation_date >= before
    captured = capsys.readouterr()
    assert captured.out.startswith("Wrote album.torrent: 39.1 KiB\n")
    assert f"Info hash v2  {made.info.info_hash_v2}" in captured.out
    assert captured.err == ""


@pytest.mark.usefixtures("content")
def test_nodes_are_written_as_they_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "album", "-o", "n.torrent", "--node", "r.example.org:6881", "--node", "[::1]:7"]) == 0
    assert Metainfo.load("n.torrent").nodes == (("r.example.org", 6881), ("::1", 7))
    capsys.readouterr()
    assert main(["info", "n.torrent", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == ["r.example.org:6881", "[::1]:7"]
    assert main(["create", "album", "-o", "p.torrent", "--private", "--node", "a:1"]) == ExitCode.USAGE
    assert main(["create", "album", "-o", "p.torrent", "--node", "::1:7:x"]) == ExitCode.USAGE


@pytest.mark.usefixtures("content")
def test_every_flag_has_its_effect(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["create", "album", "-o", "x.torrent", "--v1", "--piece-size", "32k", "--private", "--no-date"]
    words += ["--tracker", "http://a/x,http://b/x", "--tracker", "udp://c:1", "--web-seed", "http://w/"]
    words += ["--source", "S", "--comment", "C", "--similar", "ab" * 20, "--collection", "films"]
    words += ["--exclude", "*.tmp", "--threads", "1", "--json"]
    assert main(words) == ExitCode.OK
    made = Metainfo.load("x.torrent")
    assert made.info.info_hash_v2 is None
    assert (made.info.piece_size, made.info.private, made.info.source) == (32_768, True, "S")
    assert made.trackers == (("http://a/x", "http://b/x"), ("udp://c:1",))
    assert (made.web_seeds, made.comment, made.creation_date) == (("http://w/",), "C", None)
    assert (made.similar, made.collections) == ((b"\xab" * 20,), ("films",))
    assert [file.path for file in made.info.files] == [("one",)]
    assert json.loads(capsys.readouterr().out) == {
        "path": "x.torrent",
        "name": "album",
        "info_hash_v1": str(made.info.info_hash_v1),
        "info_hash_v2": None,
        "piece_length": 32_768,
        "pieces": 2,
        "total_size": 40_000,
        "magnet": made.to_magnet().to_uri(),
    }


def test_v2_has_no_v1_part(content: Path) -> None:
    assert main(["create", "--v2", str(content)]) == ExitCode.OK
    assert Metainfo.load("album.torrent").info.info_hash_v1 is None


def test_a_torrent_that_exists_is_not_replaced_unless_forced(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("album.torrent").write_bytes(b"mine")
    assert main(["create", str(content)]) == ExitCode.FILE_EXISTS
    assert capsys.readouterr().err == (
        "bittern: album.torrent: there is a file of this name; choose another name, or pass --force\n"
    )
    assert Path("album.torrent").read_bytes() == b"mine"
    assert main(["create", str(content), "--force"]) == ExitCode.OK
    assert Metainfo.load("album.torrent").info.name == "album"


def test_names_that_will_not_survive_elsewhere_are_warned_of(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (content / "a\x1b[2J").write_text("x")
    assert main(["create", str(content)]) == ExitCode.OK
    assert capsys.readouterr().err == (
        "bittern: warning: a\ufffd[2J will be downloaded as a[2J: not every system allows its name\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gone"], ExitCode.NOT_FOUND, "gone: no such file"),
        (["album", "--v1", "--v2"], ExitCode.USAGE, "exclude each other"),
        (["album", "--tracker", "nonsense"], ExitCode.USAGE, "not a URL"),
        (["album", "--similar", "xyz"], ExitCode.USAGE, "not an info hash"),
        (["album", "--similar", "abcd"], ExitCode.USAGE, "40 or 64"),
        (["album", "--piece-size", "20000"], ExitCode.USAGE, "power of two"),
        (["album", "--exclude", "*"], ExitCode.OTHER, "no file"),
        (["album", "-o", "no/folder/x.torrent"], ExitCode.NOT_FOUND, "no/folder: no such folder"),
        (["album", "--threads", "0"], ExitCode.USAGE, "at least 1"),
    ],
)
def test_each_failure_has_its_code_and_one_line(
    content: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: ExitCode, said: str
) -> None:
    assert main(["create", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert [path.name for path in content.parent.iterdir()] == ["album"]
