from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode
from bittern.codec.metainfo import Metainfo


def _torrent(path: Path, name: str = "a") -> Path:
    info = {"name": name, "piece length": 16384, "length": 1, "pieces": bytes(20), "source": "S"}
    path.write_bytes(encode({"info": info, "announce": "http://old/x", "comment": "old", "zz": 1}))
    return path


def test_files_are_changed_in_place_and_keep_their_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [_torrent(tmp_path / "a.torrent"), _torrent(tmp_path / "b.torrent", "b")]
    before = [Metainfo.load(path) for path in paths]
    words = ["--tracker", "http://new/x,http://other/x", "--web-seed", "http://w/", "--comment", "new"]
    assert main(["edit", *map(str, paths), *words]) == ExitCode.OK
    for old, path in zip(before, paths, strict=True):
        found = Metainfo.load(path)
        assert found.info == old.info
        assert found.trackers == (("http://new/x", "http://other/x"),)
        assert (found.web_seeds, found.comment) == (("http://w/",), "new")
        assert path.read_bytes().endswith(b"2:zzi1ee")
    assert capsys.readouterr().out == f"{paths[0]}: changed\n{paths[1]}: changed\n"


def test_trackers_are_added_removed_replaced_and_cleared(tmp_path: Path) -> None:
    path = str(_torrent(tmp_path / "a.torrent"))
    assert main(["edit", path, "--add-tracker", "udp://b:1"]) == ExitCode.OK
    assert main(["edit", path, "--replace-tracker", "http://old", "https://fresh"]) == ExitCode.OK
    assert Metainfo.load(path).trackers == (("https://fresh/x",), ("udp://b:1",))
    assert main(["edit", path, "--remove-tracker", "https://fresh/x"]) == ExitCode.OK
    assert Metainfo.load(path).trackers == (("udp://b:1",),)
    assert main(["edit", path, "--clear-trackers", "--comment", ""]) == ExitCode.OK
    assert (Metainfo.load(path).trackers, Metainfo.load(path).comment) == ((), None)


def test_nodes_are_set_and_cleared(tmp_path: Path) -> None:
    path = str(_torrent(tmp_path / "a.torrent"))
    assert main(["edit", path, "--node", "a.example.org:1", "--node", "10.0.0.1:2"]) == ExitCode.OK
    assert Metainfo.load(path).nodes == (("a.example.org", 1), ("10.0.0.1", 2))
    assert main(["edit", path, "--node", "a.example.org"]) == ExitCode.USAGE
    assert main(["edit", path, "--clear-nodes"]) == ExitCode.OK
    assert Metainfo.load(path).nodes == ()


def test_the_result_may_go_elsewhere(tmp_path: Path) -> None:
    path = _torrent(tmp_path / "a.torrent")
    before = path.read_bytes()
    assert main(["edit", str(path), "--comment", "new", "-o", str(tmp_path / "b.torrent")]) == ExitCode.OK
    assert path.read_bytes() == before
    assert Metainfo.load(tmp_path / "b.torrent").comment == "new"


def test_what_is_as_asked_already_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _torrent(tmp_path / "a.torrent")
    inode = path.stat().st_ino
    assert main(["edit", str(path), "--comment", "old"]) == ExitCode.OK
    assert path.stat().st_ino == inode
    assert capsys.readouterr().out == f"{path}: nothing to change\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a.torrent", "--source", "T"], ExitCode.USAGE, "part of the info hash"),
        (["a.torrent", "--private"], ExitCode.USAGE, "part of the info hash"),
        (["a.torrent"], ExitCode.USAGE, "nothing to change"),
        (["--comment", "x"], ExitCode.USAGE, "no file given"),
        (["a.torrent", "b.torrent", "--comment", "x", "-o", "c"], ExitCode.USAGE, "name one file"),
        (["a.torrent", "--tracker", "nonsense"], ExitCode.USAGE, "not a URL"),
        (["gone.torrent", "--comment", "x"], ExitCode.NOT_FOUND, "gone.torrent: no such file"),
        (["garbage", "--comment", "x"], ExitCode.BAD_BENCODE, "garbage: "),
        (["empty", "--comment", "x"], ExitCode.BAD_TORRENT, "empty: info: "),
    ],
)
def test_each_failure_has_its_code_and_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: ExitCode,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = _torrent(Path("a.torrent")).read_bytes()
    Path("garbage").write_bytes(b"<html>")
    Path("empty").write_bytes(b"de")
    assert main(["edit", *words]) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert Path("a.torrent").read_bytes() == before
