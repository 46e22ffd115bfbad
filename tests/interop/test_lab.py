"""`bittern lab` against real seeds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import OpenSwarm
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.client import Client
from tests.interop.rigs.content import PIECE_SIZE, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.transmission import Transmission

SRC = Path(__file__).parents[2] / "src"
SEEDS: tuple[Client, ...] = (Libtorrent(), Aria2(), Transmission())
LIBTORRENT = Libtorrent()


def lab(*words: str, enter: tuple[str, ...] = ()) -> str:
    """Standard output of a command that has to succeed."""
    done = subprocess.run(
        [*enter, sys.executable, "-m", "bittern", "lab", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("kind", [Kind.V1_SINGLE, Kind.V1_MULTI])
def test_a_torrent_is_downloaded(open_swarm: OpenSwarm, tmp_path: Path, seed: Client, kind: Kind) -> None:
    swarm = open_swarm(kind, seed)
    swarm.seed(seed)
    (tmp_path / "downloads").mkdir()
    out = tmp_path / "downloads" / swarm.content.name
    shown = lab("download", "-o", str(out), str(swarm.torrent), enter=swarm.place.enter)
    assert shown == f"Downloaded {swarm.torrent} to {out}.\n"
    assert swarm.content.differences(out.parent) == []
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_magnet_is_downloaded(open_swarm: OpenSwarm, tmp_path: Path, seed: Client) -> None:
    swarm = open_swarm(Kind.V1_MULTI, seed)
    swarm.seed(seed)
    (tmp_path / "downloads").mkdir()
    out = tmp_path / "downloads" / swarm.content.name
    assert lab("magnet_download", "-o", str(out), swarm.magnet, enter=swarm.place.enter) == f"Downloaded to {out}.\n"
    assert swarm.content.differences(out.parent) == []


def test_a_hybrid_torrent_is_downloaded_without_its_pads(open_swarm: OpenSwarm, tmp_path: Path) -> None:
    swarm = open_swarm(Kind.HYBRID, LIBTORRENT)
    swarm.seed(LIBTORRENT)
    (tmp_path / "downloads").mkdir()
    out = tmp_path / "downloads" / swarm.content.name
    lab("download", "-o", str(out), str(swarm.torrent))
    assert swarm.content.differences(out.parent) == []
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "large.bin", "last"]


def test_single_pieces_are_downloaded_also_the_short_last_one(open_swarm: OpenSwarm, tmp_path: Path) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, LIBTORRENT)
    swarm.seed(LIBTORRENT)
    content = swarm.content.path.read_bytes()
    last = len(content) // PIECE_SIZE
    out = tmp_path / "piece"
    for command, source in (("download_piece", str(swarm.torrent)), ("magnet_download_piece", swarm.magnet)):
        for piece in (0, last):
            lab(command, "-o", str(out), source, str(piece))
            assert out.read_bytes() == content[piece * PIECE_SIZE :][:PIECE_SIZE]


def test_all_that_is_shown_agrees(open_swarm: OpenSwarm) -> None:
    """The metadata that a seed hands out says the same as the .torrent file."""
    swarm = open_swarm(Kind.V1_SINGLE, LIBTORRENT)
    peer = swarm.seed(LIBTORRENT)
    torrent = str(swarm.torrent)
    address = f"127.0.0.1:{peer.port}"
    assert lab("peers", torrent) == f"{address}\n"
    assert lab("magnet_info", swarm.magnet) == lab("info", torrent)
    assert lab("magnet_parse", swarm.magnet).splitlines() == [
        line for line in lab("info", torrent).splitlines() if line.startswith(("Tracker URL", "Info Hash"))
    ]
    shown, number = lab("magnet_handshake", swarm.magnet).splitlines()
    # libtorrent has a new peer id for each connection.
    for line in (shown, lab("handshake", torrent, address).rstrip("\n")):
        assert bytes.fromhex(line.removeprefix("Peer ID: ")).startswith(b"-LT")
    assert 1 <= int(number.removeprefix("Peer Metadata Extension ID: ")) <= 255
