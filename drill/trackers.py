"""Trackers that are down, hang or talk nonsense, and a thousand torrents that all want to announce at the start."""

import socket
import threading
import time
from contextlib import ExitStack
from itertools import pairwise
from operator import gt

from drill.flow import comes
from drill.many import Host, make_many
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, kill, seed_of
from tests.faults.rigs.program import Program
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, bencode, make
from tests.faults.rigs.tracker import BadTracker, page, silence
from tests.interop.rigs.process import wait_until

AT_ONCE = 50
"""Announces of all torrents together, at most."""
ANSWER_SECONDS = 0.3
SPREAD_SECONDS = 300
BACKOFF = (10.0, 20.0, 40.0)
"""The first, second and third wait are no shorter: 15 s, 30 s, 60 s, less what chance takes."""


def failing(room: Room) -> Outcome:
    """One refuses connections, one hangs, one sends garbage, one refuses the torrent; a peer was named."""
    tries = 1 if room.short else 3
    torrent = make(room.below("content"), 64 * MIB)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    trackers = [
        BadTracker(answer) for answer in (silence, page(b"\xff\x00 garbage"), page(bencode({"failure reason": "no"})))
    ]
    with BadTracker(silence) as closed:
        urls = [closed.url, *[tracker.url for tracker in trackers]]
    scene.torrent = Torrent(
        torrent.folder,
        torrent.with_trackers(room.below("tracked"), *urls),
        torrent.data,
        torrent.info_hash,
        torrent.files,
    )
    with ExitStack() as stack:
        for tracker in trackers:
            stack.enter_context(tracker)
        job = stack.enter_context(scene.get(seed, more=("--down-limit", "256k", "--announce-to-all")))
        demand(wait_until(lambda: _failures(job, urls) >= 1, DONE_SECONDS), f"not all are told: {job.lines[-3:]}")
        longest = comes(job, DONE_SECONDS)
        while _failures(job, urls) < tries:
            longest = max(longest, comes(job, DONE_SECONDS))
            time.sleep(1)
        for url in urls:
            times = [event["time"] for event in job.events("tracker_error") if event["url"] == url]
            waits = [later - at for at, later in pairwise(times)]
            demand(all(map(gt, waits, BACKOFF)), f"{url}: asked after {waits}")
        kill(job)
    claimed = scene.judge()
    figures = {"failures of each": tries, "nothing came for s, at most": longest, "pieces": len(claimed)}
    return Outcome(passed=True, figures=figures)


def _failures(job: Program, urls: list[str]) -> int:
    """How often the luckiest of them failed."""
    told = [event["url"] for event in job.events("tracker_error")]
    return min(told.count(url) for url in urls)


class Audience:
    """What a tracker that takes its time sees at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.answered = 0

    def answer(self, sock: socket.socket) -> None:
        """Answer after a while."""
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(ANSWER_SECONDS)
        with self._lock:
            self.now -= 1  # before the answer: who has it may ask for the next torrent at once
        page(bencode({"interval": 1800, "peers": b""}))(sock)
        with self._lock:
            self.answered += 1


def at_the_start(room: Room) -> Outcome:
    """All of them announce to one tracker that takes its time."""
    count = 100 if room.short else 1000
    audience = Audience()
    with BadTracker(audience.answer) as tracker:
        torrents = make_many(room.below("content"), count, PIECE, tracker.url)
        with Host(room, torrents, down=MIB) as host:
            host.port()
            began, late, collected = time.monotonic(), 0.0, 0.0
            while audience.answered < count and time.monotonic() - began < SPREAD_SECONDS:
                tally = host.tally()
                late, collected = max(late, tally["late_seconds"]), max(collected, tally["collection_seconds"])
                time.sleep(0.2)
            took = round(time.monotonic() - began, 1)
            demand(audience.answered >= count, f"only {audience.answered} were announced")
            asked = {line.partition("info_hash=")[2].partition("&")[0] for line in tracker.asked}
            demand(len(asked) == count, f"{len(asked)} torrents were announced")
        demand(audience.most <= AT_ONCE, f"{audience.most} announces at once")
        demand(audience.most > 1, "never two at once")
    figures = {"torrents": count, "announces at once, at most": audience.most, "s": took}
    return Outcome(
        passed=True, figures={**figures, "lag ms": round(1000 * late), "of Python's collector": round(1000 * collected)}
    )


ROWS = (
    Row(
        "trackers",
        "trackers that are down, hang, send garbage, or refuse",
        "the download goes on, each is told, and asked later and later",
        failing,
        waits=True,
    ),
    Row(
        "announces",
        "1,000 torrents with a tracker at the start",
        f"at most {AT_ONCE} announces at once, and all within minutes",
        at_the_start,
    ),
)
