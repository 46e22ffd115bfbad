"""A full disk, places that may not be written, files that are in the way: one line, the exit status, nothing lost."""

import os
from pathlib import Path

import pytest

from tests.faults.rigs import program
from tests.faults.rigs.disks import fill, missing, small_disk
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import MIB, NAME, PIECE, Torrent
from tests.interop.conftest import require

OTHER, DISK_FULL, FILE_EXISTS = 1, 9, 13
DONE_WITHIN = 15
ROOM = MIB


def test_without_any_room_for_saved_progress_it_does_not_begin(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    require(missing("unshare", "nsenter", "mount"))
    state = tmp_path / "get" / "state"
    state.mkdir(parents=True)
    peers = (f"127.0.0.1:{seed}",)
    with small_disk(state, 64 << 10) as (enter, inside):
        fill(inside / "hog")
        with program.get(torrent.path, into, tmp_path / "get", peers=peers, before=enter) as job:
            assert job.ends(DONE_WITHIN) in {OTHER, DISK_FULL}
    [line] = job.messages
    assert line.startswith(f"bittern: {state}")
    assert list(into.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_one_line(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    # Root may write everywhere unless it gives that up.
    humble = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()
    if humble:
        require(missing("setpriv"))
    into.chmod(0o555)
    try:
        peers = (f"127.0.0.1:{seed}",)
        with program.get(torrent.path, into, tmp_path / "get", peers=peers, before=humble) as job:
            assert job.ends(DONE_WITHIN) == OTHER
    finally:
        into.chmod(0o755)
    [line] = job.messages
    assert line.startswith(f"bittern: {into}: nothing can be written there")
    assert list(into.iterdir()) == []


# --- something is there already


def refused(torrent: Torrent, seed: int, into: Path, work: Path) -> str:
    """The one line of a run that must not touch what is in the way."""
    with program.get(torrent.path, into, work, peers=(f"127.0.0.1:{seed}",)) as job:
        assert job.ends(DONE_WITHIN) == FILE_EXISTS
    [line] = job.messages
    assert line.startswith(f"bittern: {into / NAME}: ")
    return line


@pytest.mark.parametrize("size", [10, 2 * MIB, 2 * MIB + 1])
def test_a_file_with_other_content_is_not_overwritten(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path, size: int
) -> None:
    mine = b"not a torrent's " * (size // 16) + b"x" * (size % 16)
    (into / NAME).write_bytes(mine)
    refused(torrent, seed, into, tmp_path / "get")
    assert (into / NAME).read_bytes() == mine


def test_a_longer_file_is_not_cut_even_if_it_begins_right(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    (into / NAME).write_bytes(torrent.data + b"and more")
    assert "bytes instead of at most" in refused(torrent, seed, into, tmp_path / "get")
    assert (into / NAME).read_bytes() == torrent.data + b"and more"


def test_a_folder_in_the_place_of_a_file_is_left_alone(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    (into / NAME).mkdir()
    assert "not a regular file" in refused(torrent, seed, into, tmp_path / "get")


def test_a_link_in_the_place_of_a_file_is_not_followed(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (into / NAME).symlink_to(precious)
    assert "not a regular file" in refused(torrent, seed, into, tmp_path / "get")
    assert precious.read_bytes() == b"precious"


def test_right_pieces_that_are_there_are_kept_and_only_the_rest_is_fetched(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    there = bytearray(torrent.data)
    for piece in (0, 7, 31):
        there[piece * PIECE] ^= 1
    (into / NAME).write_bytes(there)
    with Proxy(seed) as honest, program.get(torrent.path, into, tmp_path / "get", peers=(honest.address,)) as job:
        assert job.ends(DONE_WITHIN) == 0
    assert job.saw("checked")["done_bytes"] == len(torrent.data) - 3 * PIECE
    assert 3 * PIECE < honest.carried < 4 * PIECE
    assert (into / NAME).read_bytes() == torrent.data


def test_a_complete_file_needs_nobody(torrent: Torrent, into: Path, tmp_path: Path) -> None:
    (into / NAME).write_bytes(torrent.data)
    with program.get(torrent.path, into, tmp_path / "get") as job:
        assert job.ends(DONE_WITHIN) == 0
    assert job.saw("checked")["done_bytes"] == len(torrent.data)
