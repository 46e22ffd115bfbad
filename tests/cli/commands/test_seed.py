import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bittern.cli.main import main
from tests.session.rig import PIECE, album, fill, tracking, write_torrent

LOCAL = ("--listen", "127.0.0.1", "--port", "0")


@pytest.mark.parametrize("named", ["content", "holder", "renamed"])
def test_the_content_or_its_holder_is_seeded_and_fetched(tmp_path: Path, named: str) -> None:
    """What `get` gets is what `seed` has, wherever it is; both end by themselves."""
    root = album(tmp_path / "src" / "album")
    torrent = tmp_path / "a.torrent"
    with tracking() as tracker:
        write_torrent(root, torrent, tracker.url)
        path = {"content": root, "holder": root.parent, "renamed": tmp_path / "other"}[named]
        if named == "renamed":
            root.rename(path)
        command = [sys.executable, "-m", "bittern", "seed", str(torrent), str(path), "--seed-ratio", "1", *LOCAL]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as seed:
            tracker.wait_for(lambda announce: announce.left == 0)
            assert main(["get", str(torrent), "-d", str(tmp_path / "dst"), *LOCAL]) == 0
            out, _ = seed.communicate(timeout=30)
            assert seed.returncode == 0
    assert out.startswith("Goal reached: ")
    assert (tmp_path / "dst" / "album" / "two" / "c.bin").stat().st_size == 70_001


def test_content_that_is_not_right_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = fill(tmp_path / "a.bin", 20 * PIECE)
    write_torrent(source, tmp_path / "a.torrent")
    with source.open("r+b") as file:
        file.write(bytes(10))
    before = source.read_bytes()
    words = ["seed", str(tmp_path / "a.torrent"), str(source), *LOCAL]
    assert main(words) == 5
    assert "608.0 KiB of 640.0 KiB are as the torrent says" in capsys.readouterr().err
    fill(source, 20 * PIECE, seed=5)
    assert main(words) == 5
    source.write_bytes(before + b"x")
    assert main(words) == 5
    assert "a file with other content" in capsys.readouterr().err
    source.write_bytes(before[:-1])
    assert main(words) == 5
    assert source.read_bytes() == before[:-1]


def test_trust_skips_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = fill(tmp_path / "a.bin", 20 * PIECE)
    write_torrent(source, tmp_path / "a.torrent")
    words = ["seed", str(tmp_path / "a.torrent"), str(source), "--seed-time", "0", "--json", *LOCAL]
    assert main([*words, "--trust"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "checking" not in [event["event"] for event in events]
    assert events[-1]["event"] == "finished"


def test_what_is_missing_or_no_torrent_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = fill(tmp_path / "a.bin", 1000)
    write_torrent(source, tmp_path / "a.torrent")
    assert main(["seed", str(tmp_path / "a.torrent"), str(tmp_path / "none")]) == 3
    assert main(["seed", "magnet:?xt=urn:btih:" + "ab" * 20, str(source), *LOCAL]) == 2
    assert "name a .torrent file" in capsys.readouterr().err
    assert main(["seed", str(source), str(source), *LOCAL]) == 25


def test_a_signal_ends_it_and_the_tracker_hears(tmp_path: Path) -> None:
    source = fill(tmp_path / "a.bin", 1000)
    with tracking() as tracker:
        write_torrent(source, tmp_path / "a.torrent", tracker.url)
        command = [sys.executable, "-m", "bittern", "seed", str(tmp_path / "a.torrent"), str(source), *LOCAL]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as seed:
            port = tracker.wait_for(lambda announce: announce.left == 0).port
            seed.send_signal(signal.SIGTERM)
            seed.communicate(timeout=10)
        assert seed.returncode == 0
        assert tracker.events(port) == ["started", "stopped"]
