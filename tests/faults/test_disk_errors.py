"""The disk fails under the real program: one line, the exit status, and the next run knows what is in doubt."""

from pathlib import Path

import pytest

from tests.faults.rigs import program
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.strace import failing, missing
from tests.faults.rigs.torrent import NAME, Torrent
from tests.interop.conftest import require

OTHER = 1
DONE_WITHIN = 30


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_disk_that_fails_ends_the_run_and_the_next_hashes_what_is_there(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path, call: str
) -> None:
    require(missing())
    strace = failing(call, "EIO", tmp_path / "strace.txt", into / NAME)
    peers = (f"127.0.0.1:{seed}",)
    with program.get(torrent.path, into, tmp_path / "get", peers=peers, before=strace) as job:
        assert job.ends(DONE_WITHIN) == OTHER
    [line] = [line for line in job.messages if line.startswith("bittern: /")]
    assert line.startswith(f"bittern: {into / NAME}: input/output error")
    with Proxy(seed) as proxy, program.get(torrent.path, into, tmp_path / "get", peers=(proxy.address,)) as job:
        assert job.ends(DONE_WITHIN) == 0, job.lines
    assert (into / NAME).read_bytes() == torrent.data
    if call == "fdatasync":  # all that came is in doubt; it is looked at, not fetched again
        assert job.saw("checking")
