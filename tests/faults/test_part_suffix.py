"""kill -9 at each step by which a download gets its own name: it is there under one, and the next run knows it."""

import signal
from pathlib import Path

import pytest

from tests.faults.rigs import program
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.strace import killed_at, missing
from tests.faults.rigs.torrent import NAME, PIECE, Torrent
from tests.interop.conftest import require

DONE_WITHIN = 30
SUFFIX = ("--part-suffix",)


@pytest.mark.parametrize("call", ["fdatasync", "linkat", "unlink"])
def test_a_kill_leaves_the_whole_file_under_one_of_its_names(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path, call: str
) -> None:
    require(missing())
    own, other = into / NAME, into / f"{NAME}.part"
    named = () if call == "linkat" else (other,)  # that one names it below an open folder, which strace does not see
    strace = killed_at(call, tmp_path / "strace.txt", *named)
    peers = (f"127.0.0.1:{seed}",)
    with program.get(torrent.path, into, tmp_path / "get", peers=peers, before=strace, more=SUFFIX) as job:
        assert job.ends(DONE_WITHIN) in (-signal.SIGKILL, 128 + signal.SIGKILL), job.lines
    assert own.exists() == (call == "unlink")
    assert other.read_bytes() == torrent.data
    with Proxy(seed) as proxy, program.get(torrent.path, into, tmp_path / "get", peers=(proxy.address,)) as job:
        assert job.ends(DONE_WITHIN) == 0, job.lines
    assert proxy.carried < PIECE  # nothing came twice
    assert own.read_bytes() == torrent.data
    assert [path.name for path in into.iterdir()] == [NAME]
