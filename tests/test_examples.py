"""The examples run as they are, against each other."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bittern.wire.krpc import AnnouncePeer
from tests.session.nodes import routers
from tests.session.rig import album, fill, torrent, tracking

ROOT = Path(__file__).parents[1]


def command(name: str, *words: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / name), *map(str, words)]


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(state)}


@contextmanager
def sharing(name: str, *words: str | Path, state: Path) -> Iterator["subprocess.Popen[str]"]:
    """An example that shares something, until Ctrl-C, which must end it well."""
    with subprocess.Popen(command(name, *words), stdout=subprocess.PIPE, text=True, env=environment(state)) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=15)
    assert process.returncode == 0


def downloaded(*words: str | Path, state: Path, name: str = "download.py") -> str:
    """What an example that downloads says."""
    done = subprocess.run(
        command(name, *words),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(state),
        timeout=60,
        check=True,
    )
    return done.stdout


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_there_are_no_examples_that_nobody_runs() -> None:
    assert sorted(path.name for path in (ROOT / "examples").glob("*.py")) == [
        "choose_files.py",
        "create_and_share.py",
        "download.py",
        "look_up.py",
        "plain_script.py",
        "seed.py",
    ]


def test_a_seed_and_a_download(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = fill(tmp_path / "src" / "a.bin", 300_000)
    info = torrent(source).info.raw
    (tmp_path / "a.torrent").write_bytes(b"d4:info" + info + b"e")
    with sharing("seed.py", tmp_path / "a.torrent", source.parent, state=tmp_path / "s") as seed:
        port = line_of(seed).rpartition(" ")[2]
        words = (tmp_path / "a.torrent", tmp_path / "dst", f"127.0.0.1:{port}")
        assert downloaded(*words, state=tmp_path / "d") == f"complete: {tmp_path / 'dst' / 'a.bin'}\n"
        assert line_of(seed).startswith("PeerJoined(")
        again = (tmp_path / "a.torrent", tmp_path / "plain", f"127.0.0.1:{port}")
        said = downloaded(*again, state=tmp_path / "p", name="plain_script.py")
        assert said.splitlines()[0] == "downloading"
        assert said.splitlines()[-1] == f"complete: {tmp_path / 'plain' / 'a.bin'}"
    assert (tmp_path / "dst" / "a.bin").read_bytes() == source.read_bytes()
    assert capfd.readouterr().err == ""


def test_what_is_created_and_shared_can_be_fetched_by_its_link(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    with tracking() as tracker, sharing("create_and_share.py", root, tracker.url, state=tmp_path / "s") as share:
        link = line_of(share)
        found = downloaded(link, tmp_path / "dst", state=tmp_path / "d")
        assert found == f"complete: {tmp_path / 'dst' / 'album'}\n"
        words = (link, tmp_path / "some", "c.bin", "empty.txt")
        listed = downloaded(*words, state=tmp_path / "e", name="choose_files.py").splitlines()
    assert listed == ["one.bin 100000 bytes", "two/b.bin 10 bytes", "two/c.bin 70001 bytes", "two/empty.txt 0 bytes"]
    assert sorted(path.name for path in (tmp_path / "some").rglob("*.*")) == ["c.bin", "empty.txt"]
    assert (tmp_path / "dst" / "album" / "one.bin").read_bytes() == (root / "one.bin").read_bytes()


async def test_a_look_into_the_table(tmp_path: Path) -> None:
    name = b"\xab" * 20
    async with routers() as tables:
        await tables[0].find_peers(name, lambda _: None, announce=AnnouncePeer(name, 7000, b""))
        node = f"127.0.0.1:{tables[0].ports[False]}"
        found = await asyncio.to_thread(lambda: downloaded(name.hex(), node, state=tmp_path, name="look_up.py"))
    assert found == "127.0.0.1:7000\n"
