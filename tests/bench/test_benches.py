"""The benches run, at a size that measures nothing: libtorrent stands in for every client."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import idle_peers, machine, many_leechers, transfer, workload
from bench.peers import LIBTORRENT
from bench.workload import Workload

pytestmark = pytest.mark.interop

SIZE = 2 * workload.MIB


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workload]:
    with workload.single_file(tmp_path, SIZE) as made:
        yield made


def test_a_transfer_is_timed_and_compared(work: Workload, tmp_path: Path) -> None:
    run = transfer.transfer(LIBTORRENT, LIBTORRENT, work, tmp_path)
    assert (run.size, run.workload) == (SIZE, "single.bin")
    assert 0 < run.wall_seconds < transfer.RUN_SECONDS
    assert run.leecher_peak_rss_bytes > SIZE
    assert not (tmp_path / "out").exists()


def test_a_transfer_of_many_files_is_compared(tmp_path: Path) -> None:
    with workload.many_files(tmp_path, SIZE, count=50) as work:
        assert work.same(work.folder)
        run = transfer.transfer(LIBTORRENT, LIBTORRENT, work, tmp_path)
    assert run.size == SIZE


def test_a_copy_that_differs_is_seen(work: Workload, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "single.bin"
    assert not work.same(tmp_path / "copy")
    copy.write_bytes((work.folder / "single.bin").read_bytes())
    assert work.same(tmp_path / "copy")
    copy.write_bytes(copy.read_bytes()[:-1] + b"\0")
    assert not work.same(tmp_path / "copy")


def test_the_table_compares_with_the_fastest_libtorrent_pair(work: Workload, tmp_path: Path) -> None:
    run = replace(transfer.transfer(LIBTORRENT, LIBTORRENT, work, tmp_path), other_cpu_seconds=0.0)
    fast, slow = replace(run, wall_seconds=1.0), replace(run, wall_seconds=4.0)
    ours = replace(run, leecher="bittern", wall_seconds=0.5)
    assert transfer.median([fast, slow, fast]).wall_seconds == 1.0
    ratios = [line.split(" | ")[3] for line in transfer.table([fast, slow, ours]).splitlines()[2:]]
    assert ratios == ["1.00", "0.25", "2.00"]


def test_idle_peers_stay_connected(work: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_peers, "SETTLE_SECONDS", 0.0)
    row = idle_peers.measure(LIBTORRENT, work, tmp_path, peers=5, seconds=0.1)
    assert (row["peers"], row["still_open"]) == (5, 5)


def test_every_leecher_of_a_crowd_completes(work: Workload, tmp_path: Path) -> None:
    assert many_leechers.measure(LIBTORRENT, work, tmp_path, leechers=3)["complete"] == 3


def test_usage_counts_children_that_have_ended() -> None:
    burn = "import time; t = time.process_time()\nwhile time.process_time() < t + 0.2: pass"
    before = machine.usage(os.getpid()).cpu_seconds
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert machine.usage(os.getpid()).cpu_seconds >= before + 0.15  # the clock ticks in 10 ms
