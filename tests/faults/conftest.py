"""One torrent and one honest seed of it for all these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import MIB, Torrent, make
from tests.interop.rigs.place import LOOPBACK


@pytest.fixture(scope="session")
def torrent(tmp_path_factory: pytest.TempPathFactory) -> Torrent:
    """2 MiB in 32 pieces of 4 blocks."""
    return make(tmp_path_factory.mktemp("content"), 2 * MIB)


@pytest.fixture(scope="session")
def seed(torrent: Torrent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an honest seed: bittern itself."""
    port = LOOPBACK.free_port()
    words = ["seed", str(torrent.path), str(torrent.folder), "--port", str(port)]
    with Program(words, tmp_path_factory.mktemp("seed")) as program:
        program.seeds()
        yield port


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Where downloads go."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder
