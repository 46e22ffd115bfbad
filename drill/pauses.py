"""Time and networks stand still: programs are stopped, networks cut, partners die, addresses change."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from drill.flow import comes, comes_within
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, kill
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import MIB, Torrent, bencode, make
from tests.faults.rigs.tracker import BadTracker, page
from tests.interop.rigs.place import LOOPBACK, Place, missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.star import Link, run_in, star

BACK_SECONDS = 60
"""After the pause bytes come again within so long."""
SLOWLY = ("--down-limit", "256k")
SIZE = 256 * MIB
"""More than comes until the row is over."""


def suspended(room: Room) -> Outcome:
    """The download is stopped, as by a lid that is closed, and goes on."""
    return _stopped(room, lambda job, _: job)


def suspended_seed(room: Room) -> Outcome:
    """The only seed is stopped, and goes on."""
    return _stopped(room, lambda _, seed: seed)


def _stopped(room: Room, choose: Callable[[Program, Program], Program]) -> Outcome:
    torrent, seconds = _content(room), 15 if room.short else 240
    seed, port = _seed(room, torrent, LOOPBACK)
    peers = bytes((127, 0, 0, 1)) + port.to_bytes(2)
    tracker = room.enter(BadTracker(page(bencode({"interval": 1800, "peers": peers}))))
    scene = Scene(room, torrent)
    scene.torrent = _tracked(torrent, room, tracker.url)
    with scene.get(more=SLOWLY) as job:
        comes(job, DONE_SECONDS)
        stopped = choose(job, seed).running.pid
        os.kill(stopped, signal.SIGSTOP)
        asked = len(tracker.asked)
        time.sleep(seconds)
        os.kill(stopped, signal.SIGCONT)
        back = comes(job, BACK_SECONDS)
        again = len(tracker.asked) - asked
        demand(again <= 2, f"announces in a row: {tracker.asked}")
        kill(job)
    claimed = scene.judge()
    return Outcome(
        passed=True, figures={"stopped s": seconds, "back after s": back, "announces": again, "pieces": len(claimed)}
    )


def partition(room: Room) -> Outcome:
    """Nothing passes between the two of them for a while; neither is told."""
    seconds = 30 if room.short else 600
    with _two_hosts(room) as (here, there):
        torrent = _content(room)
        _, port = _seed(room, torrent, there)
        scene = Scene(room, torrent)
        with scene.get(f"{there.address}:{port}", before=here.enter, more=SLOWLY, listen="") as job:
            comes(job, DONE_SECONDS)
            with _cut(here):
                demand(wait_until(lambda: not comes_within(job, 3), DONE_SECONDS), "the network was not cut")
                time.sleep(seconds)
            back = comes(job, BACK_SECONDS)
            kill(job)
        claimed = scene.judge()
    return Outcome(passed=True, figures={"cut s": seconds, "back after s": back, "pieces": len(claimed)})


def address_changes(room: Room) -> Outcome:
    """The machine gets another address, as in another network, while the seed stays where it is."""
    changes = 1 if room.short else 3
    with _two_hosts(room) as (here, there):
        torrent = _content(room)
        _, port = _seed(room, torrent, there)
        scene, longest, address = Scene(room, torrent), 0.0, here.address
        with scene.get(f"{there.address}:{port}", before=here.enter, more=SLOWLY, listen="") as job:
            for number in range(changes):
                comes(job, DONE_SECONDS)
                run_in(here, f"ip addr del {address}/24 dev eth0")
                address = here.address.rpartition(".")[0] + f".{100 + number}"
                time.sleep(2)
                run_in(here, f"ip addr add {address}/24 dev eth0")
                longest = max(longest, comes(job, BACK_SECONDS))
            kill(job)
        claimed = scene.judge()
    return Outcome(passed=True, figures={"changes": changes, "back after s, at most": longest, "pieces": len(claimed)})


def partner_dies(room: Room) -> Outcome:
    """Of two seeds one is killed in the middle, again and again; it is always another that is left."""
    deaths = 2 if room.short else 10
    torrent = _content(room)
    seeds = [_seed(room, torrent, LOOPBACK, f"seed-{number}") for number in range(2)]
    scene, longest = Scene(room, torrent), 0.0
    with scene.get(*[port for _, port in seeds], more=SLOWLY) as job:
        for number in range(deaths):
            comes(job, DONE_SECONDS)
            dead, port = seeds[number % 2]
            kill(dead)
            longest = max(longest, comes(job, BACK_SECONDS))
            seeds[number % 2] = _seed(room, torrent, LOOPBACK, f"seed-again-{number}", port)
        kill(job)
    claimed = scene.judge()
    return Outcome(passed=True, figures={"deaths": deaths, "back after s, at most": longest, "pieces": len(claimed)})


def _content(room: Room) -> Torrent:
    return make(room.below("content"), SIZE)


def _tracked(torrent: Torrent, room: Room, url: str) -> Torrent:
    path = torrent.with_trackers(room.below("tracked"), url)
    return Torrent(torrent.folder, path, torrent.data, torrent.info_hash, torrent.files)


def _seed(room: Room, torrent: Torrent, place: Place, name: str = "seed", port: int = 0) -> tuple[Program, int]:
    port = port or place.free_port()
    words = ["seed", str(torrent.path), str(torrent.folder), "--port", str(port), "--trust"]
    job = room.enter(Program(words, room.below(name), before=place.enter, listen=place.address))
    job.seeds()
    return job, port


@contextmanager
def _two_hosts(room: Room) -> Iterator[tuple[Place, Place]]:
    with star(room.below("network"), [Link(), Link()]) as network:
        yield network.hosts[0], network.hosts[1]


@contextmanager
def _cut(place: Place) -> Iterator[None]:
    """Nothing comes in or goes out there."""
    run_in(place, "nft add table inet cut")
    for hook in ("input", "output"):
        run_in(place, f"nft add chain inet cut {hook} {{ type filter hook {hook} priority 0 ; policy drop ; }}")
    yield
    run_in(place, "nft delete table inet cut")


def _missing() -> str | None:
    missing = missing_for_namespace()
    return missing or (None if shutil.which("nft") else "`nft` is not installed (Debian: nftables)")


_BACK = f"back within {BACK_SECONDS} s"
_row = partial(Row, waits=True)

ROWS = (
    _row("suspend", "the download is stopped for minutes (SIGSTOP)", f"{_BACK}, no burst of announces", suspended),
    _row("suspend-seed", "the only seed is stopped for minutes", _BACK, suspended_seed),
    _row("partition", "the network passes nothing for 10 minutes", _BACK, partition, _missing),
    _row("address", "the machine's address changes", _BACK, address_changes, _missing),
    _row("partner-dies", "kill -9 of the seed that serves", "the other one serves within 60 s", partner_dies),
)
