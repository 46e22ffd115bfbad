import json
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main


@pytest.fixture(params=["--v1", "--v2", "--hybrid"])
def torrent(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """A torrent of the folder `album`, of each version."""
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "one").write_bytes(bytes(16_384 * 20))
    (tmp_path / "album" / "two").write_bytes(b"two")
    monkeypatch.chdir(tmp_path)
    assert main(["create", "album", request.param]) == ExitCode.OK
    capsys.readouterr()
    return "album.torrent"


def test_good_content_is_said_to_be_good(torrent: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", torrent, "album"]) == ExitCode.OK
    assert capsys.readouterr().out == "album: all 21 pieces are good (320.0 KiB)\n"
    assert main(["verify", torrent, "."]) == ExitCode.OK


def test_bad_files_and_pieces_are_named_and_the_status_is_5(torrent: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(16_384 * 20)
    for piece in range(1, 20, 2):
        data[piece * 16_384] = 1
    Path("album/one").write_bytes(data)
    Path("album/two").unlink()
    assert main(["verify", torrent, "album"]) == ExitCode.VERIFY_FAILED
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "   damaged  one  (pieces 1, 3, 5, 7, 9, 11, 13, 15 and 2 more)",
        "   missing  two  (pieces 20)",
        "album: not as the torrent says: 2 of 2 files, 11 of 21 pieces; 160.0 KiB of 320.0 KiB are good",
    ]
    assert captured.err == ""


def test_json_names_them_too(torrent: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("album/two").write_bytes(b"two!")
    assert main(["verify", torrent, "album", "--json"]) == ExitCode.VERIFY_FAILED
    assert json.loads(capsys.readouterr().out) == {
        "name": "album",
        "good": False,
        "pieces": 21,
        "bad_pieces": [],
        "good_bytes": 16_384 * 20 + 3,
        "total_size": 16_384 * 20 + 3,
        "bad_files": [{"path": "two", "state": "long", "bad_pieces": [], "detail": None}],
    }


def test_no_content_at_all_is_not_found(torrent: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", torrent, "elsewhere"]) == ExitCode.NOT_FOUND
    assert "elsewhere: no such file" in capsys.readouterr().err


def test_a_magnet_can_not_be_checked_against(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "ab" * 20, "."]) == ExitCode.USAGE
    assert "no piece hashes" in capsys.readouterr().err
