"""Floods of connections to the real program: they take neither its loop nor its descriptors nor its memory."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.rigs.leeching import FLAT, SERVED_WITHIN, leech, seeding
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import Torrent

ALIASES = 200
FLOOD = 2000


@contextmanager
def flood(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections at once, from many addresses of this machine, none of which says a word."""
    with ExitStack() as stack:
        socks = []
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.bind((f"127.1.0.{1 + number % ALIASES}", 0))
            sock.connect_ex(("127.0.0.1", port))
            socks.append(sock)
        yield socks


async def most_descriptors(program: Program, seconds: float) -> int:
    """The most that were open at a time."""
    most, end = 0, asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        most = max(most, program.descriptors())
        await asyncio.sleep(0.02)
    return most


def test_two_thousand_connections_at_once_take_a_bounded_number_of_descriptors(
    torrent: Torrent, tmp_path: Path
) -> None:
    with seeding(torrent, tmp_path / "seed") as (program, port):
        leech(torrent, port)
        before, memory = program.descriptors(), program.memory()
        with flood(port, FLOOD):
            used = program.cpu_seconds()
            most = asyncio.run(most_descriptors(program, 3.0))
            assert 50 < most - before <= 210, "200 may keep silent at a time"
            assert program.cpu_seconds() - used < 1.5
            assert leech(torrent, port) < SERVED_WITHIN
            assert program.memory() - memory < FLAT
        assert leech(torrent, port) < SERVED_WITHIN
        assert not [line for line in program.messages if "Traceback" in line]


def test_with_few_open_files_allowed_a_flood_leaves_some_for_the_content(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed", "prlimit", "--nofile=128", "--") as (program, port):
        with flood(port, 500):
            assert asyncio.run(most_descriptors(program, 2.0)) < 128 - 16
            assert leech(torrent, port) < SERVED_WITHIN
        assert leech(torrent, port) < SERVED_WITHIN
        assert not [line for line in program.messages if "Traceback" in line or "open files" in line]


def test_a_seed_that_runs_out_of_descriptors_goes_on_when_there_are_some(torrent: Torrent, tmp_path: Path) -> None:
    with seeding(torrent, tmp_path / "seed", "prlimit", "--nofile=48", "--") as (program, port):
        with flood(port, 100):
            time.sleep(1.5)  # it pauses for a second and finds that it still has none
            used = program.cpu_seconds()
            time.sleep(1.0)
            assert program.cpu_seconds() - used < 0.5
        assert leech(torrent, port) < SERVED_WITHIN
        assert not [line for line in program.messages if "Traceback" in line]
