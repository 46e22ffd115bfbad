"""The benches run, at a size that measures nothing: libtorrent stands in for every client."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import (
    dht,
    direct_io,
    idle_peers,
    ip_filter,
    limits,
    machine,
    many_leechers,
    many_torrents,
    swarm,
    tracker,
    transfer,
    web_seed,
    workload,
)
from bench.drivers.dht_crowd import KINDS
from bench.peers import BITTERN, LIBTORRENT
from bench.workload import Workload
from tests.interop.conftest import require
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.star import Link, star
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.web import missing_nginx

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


def test_a_transfer_over_utp_is_compared(work: Workload, tmp_path: Path) -> None:
    utp = ("--utp", "--encryption", "require")
    run = transfer.transfer(BITTERN.told(*utp), LIBTORRENT.told(*utp), work, tmp_path)
    assert (run.seed, run.leecher, run.size) == ("bittern", "libtorrent", SIZE)


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


def test_a_web_seed_is_measured_beside_curl(tmp_path: Path) -> None:
    require(missing_nginx() or (None if shutil.which("curl") else "curl is not installed"))
    [runs] = web_seed.measure(SIZE, 1, tmp_path)
    assert [(run.client, run.size) for run in runs] == [("curl", SIZE), ("bittern", SIZE)]
    rows = [line.split(" | ") for line in web_seed.table(runs).splitlines()[2:]]
    assert rows[0][3] == "1.00"
    assert not (tmp_path / "out").exists()


def test_limits_of_each_level_are_measured(tmp_path: Path) -> None:
    cases = [limits.Case(1e6, level, way) for level in limits.LEVELS for way in limits.WAYS]
    with workload.single_file(tmp_path, 2 * SIZE) as work:
        runs = limits.measure(cases, work, tmp_path, seconds=0.5)
    assert [run.case for run in runs] == cases
    assert all(run.seconds >= 0.5 and abs(run.error) < 0.5 for run in runs)
    assert not (tmp_path / "out").exists()
    assert [line.partition(" |")[0] for line in limits.table(runs).splitlines()[2:]] == [
        f"| {level}" for level in limits.LEVELS
    ]


def test_fast_limits_are_measured_one_by_one_and_slow_ones_together() -> None:
    batches = limits.batches(limits.RATES)
    assert [len(batch) for batch in batches] == [16, 8, *[1] * 8]
    assert all(sum(case.rate for case in batch) <= limits.TOGETHER for batch in batches)


def test_every_leecher_of_a_crowd_completes(work: Workload, tmp_path: Path) -> None:
    assert many_leechers.measure(LIBTORRENT, work, tmp_path, leechers=3)["complete"] == 3


def test_a_swarm_behind_links_completes_and_is_timed(tmp_path: Path) -> None:
    require(missing_for_namespace())
    link = Link(40_000_000, 80_000_000)
    cast = swarm.Cast("two", LIBTORRENT, (LIBTORRENT,))
    with (
        star(tmp_path, [link] * 3) as network,
        serve(network.switch.listen()) as tracker,
        workload.single_file(tmp_path, SIZE, 16 << 10, tracker.url) as work,
    ):
        run = swarm.race(cast, work, network, tracker, link, tmp_path)
    assert [kind for kind, _ in run.finishes] == ["libtorrent"] * 2
    assert run.copies > 0.9
    # The buffers of the links let a little pass before they slow anything down.
    assert 0.8 * run.bound_seconds < run.of()[0] <= run.of("libtorrent")[-1] < swarm.RUN_SECONDS


def test_the_fluid_bound_is_one_copy_on_the_slower_link() -> None:
    size = 1448 * 1000  # a thousand full packets
    packets = 1514 * 8 * 1000
    assert swarm.bound(size, Link(packets, 10 * packets)) == pytest.approx(1.0)
    assert swarm.bound(size, Link(10 * packets, 2 * packets)) == pytest.approx(0.5)


def test_a_mixed_swarm_has_a_row_for_each_kind() -> None:
    def run(*finishes: tuple[str, float]) -> swarm.Run:
        return swarm.Run("mixed", SIZE, 10.0, list(finishes), copies=1.5, core_percent=50)

    runs = [run(("a", 10), ("b", 12), ("a", 14), ("b", last)) for last in (20, 15, 16)]
    rows = [
        [cell.strip() for cell in line.split("|")[1:6]] for line in swarm.table([[r] for r in runs]).splitlines()[2:]
    ]
    assert rows == [
        ["mixed", "4", "13.0", "16.0", "1.60"],
        ["mixed: its a", "2", "12.0", "14.0", "1.40"],
        ["mixed: its b", "2", "14.0", "16.0", "1.60"],
    ]


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_a_bench_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from bench.machine import scratch
with scratch(Path({str(tmp_path)!r})) as folder:
    (folder / "full").write_bytes(bytes(9))
    print("made", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"made\n"
        assert len(list(tmp_path.glob("*/full"))) == 1
        child.kill()
    assert wait_until(lambda: not list(tmp_path.iterdir()), 20)


@pytest.mark.parametrize("client", sorted(many_torrents.DRIVERS))
def test_every_torrent_runs_after_a_restart(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_torrents, "SETTLE_SECONDS", 0.0)
    many_torrents.make_torrents(tmp_path / "torrents", 5)
    cost = many_torrents.measure(client, tmp_path / "torrents", tmp_path, seconds=0.1)
    assert (cost.torrents, cost.client) == (5, client)
    assert 0 < cost.start_seconds < many_torrents.START_SECONDS
    assert cost.rss_mib > 1


def test_usage_counts_children_that_have_ended() -> None:
    burn = "import time; t = time.process_time()\nwhile time.process_time() < t + 0.2: pass"
    before = machine.usage(os.getpid()).cpu_seconds
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert machine.usage(os.getpid()).cpu_seconds >= before + 0.15  # the clock ticks in 10 ms


def test_both_ways_to_write_are_timed_and_leave_nothing(tmp_path: Path) -> None:
    for direct in (False, True):
        try:
            run = direct_io.measure(tmp_path, SIZE, direct=direct)
        except OSError as error:
            if error.errno == errno.EINVAL:
                require("this file system knows no O_DIRECT")
            raise
        assert min(run.write_seconds, run.read_seconds) > 0
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", tracker.TRACKERS)
def test_announces_to_a_tracker_are_counted_and_timed(name: str, tmp_path: Path) -> None:
    if name == "opentracker" and not shutil.which(name):
        require("opentracker is not installed")
    run = tracker.measure(name, tmp_path, peers=1920, swarms=20, seconds=0.2)
    assert (run["fill"]["announces"], run["fill"]["lost"]) == (1920, 0)
    assert all(run[kind]["announces"] > 0 for kind in ("udp", "http"))
    assert len(cells(tracker.table([run]))) == (3 if name == "opentracker" else 4)


def test_questions_to_a_node_are_counted_and_timed() -> None:
    require(missing_for_namespace())
    command = [sys.executable, "-m", "bench.dht", "--seconds", "0.3", "--settle", "1", "--sources", "3000", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = cells(done.stdout.strip())
    assert [row[0] for row in rows] == [f"{client}: {kind}" for client in dht.CLIENTS for kind in KINDS]
    assert all(int(row[1].replace(",", "")) > 0 for row in rows)


@pytest.mark.parametrize("form", ip_filter.FORMS)
def test_an_ip_filter_is_read_and_asked(form: str, tmp_path: Path) -> None:
    figures = ip_filter.measure(ip_filter.write(form, 500, tmp_path))
    assert figures["entries"] == 500
    assert 0 < int(figures["ranges"]) <= 500
