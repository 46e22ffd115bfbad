import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bittern.base.errors import BencodeError
from bittern.session.download import download
from tests.session.rig import PIECE, fill, seeding, settings, torrent


def test_one_line_downloads(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    with seeding(meta, tmp_path / "src", tmp_path / "a") as peer:
        path = download(meta, tmp_path / "dst", peers=(peer,), settings=settings(tmp_path / "b"))
    assert path == tmp_path / "dst" / "a.bin"
    assert path.read_bytes() == source.read_bytes()


async def test_it_works_inside_a_running_loop(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    with seeding(meta, tmp_path / "src", tmp_path / "a") as peer:
        path = download(meta, tmp_path / "dst", peers=(peer,), settings=settings(tmp_path / "b"))
    assert path.stat().st_size == 20 * PIECE


def test_errors_come_out_of_the_thread(tmp_path: Path) -> None:
    (tmp_path / "bad.torrent").write_bytes(b"bad")
    with pytest.raises(BencodeError):
        download(tmp_path / "bad.torrent", tmp_path, settings=settings(tmp_path / "b"))
    with pytest.raises(TimeoutError):
        download("ab" * 20, tmp_path, settings=settings(tmp_path / "b"), timeout=0.05)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bittern")]


@pytest.mark.parametrize("begun", [False, True])
def test_ctrl_c_at_the_start_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool) -> None:
    """It may come while the thread is being started: then nobody would wait for it, and it would never end."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "bittern-download":
            if begun:
                start(thread)
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("ab" * 20, tmp_path, settings=settings(tmp_path / "b"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bittern")]


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    script = (
        "import sys, bittern, pathlib\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    bittern.download('ab' * 20, sys.argv[1], settings=bittern.Settings(state_dir=pathlib.Path(sys.argv[1]),"
        " listen=('127.0.0.1',), port=0))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / "locks").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
        assert process.wait(10) == 0
