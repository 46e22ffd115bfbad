"""What is wrong with one torrent is no matter of the others: its disk is full, its saved progress is damaged."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bittern.session.store import FILE
from drill.full import lacking, on_small_disk
from drill.row import Outcome, Room, Row, demand
from drill.scene import seed_of
from drill.session import Remote
from tests.faults.rigs.claims import claims
from tests.faults.rigs.torrent import MIB, NAME, PIECE, Torrent, make

_SIZE = 2 * MIB
_SPOILED = 3


def full(room: Room) -> Outcome:
    """Of two downloads in a session one is on a disk that gets full."""
    first, second = make(room.below("one"), _SIZE), make(room.below("two"), _SIZE, seed=2)
    ports = seed_of(first, room), seed_of(second, room, "seed-2")
    small, large = room.below("disk"), room.below("into")
    with (
        on_small_disk(small) as (enter, inside),
        Remote(room.below("state"), room.folder / "log-session.txt", enter) as session,
    ):
        session.ask("add", first.path, small, f"127.0.0.1:{ports[0]}")
        stopped = session.until(lambda status: bool(status["error"]))
        demand("no space left" in stopped["error"], stopped["error"])
        session.ask("add", second.path, large, f"127.0.0.1:{ports[1]}")
        session.until(lambda status: status["state"] == "seeding")
        demand(second.right(large) == set(range(second.pieces)), "the content of the other is not right")
        still = session.ask("status", 0)
        demand("no space left" in still["error"], f"the one with the full disk says {still}")
        session.quit()
        kept = len(first.right(inside))
    return Outcome(passed=True, figures={"pieces on the full disk": kept, "of the other": second.pieces})


def _flipped(blob: bytes) -> bytes:
    return blob[:-1] + bytes((blob[-1] ^ 1,))


WAYS: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "a bit flipped": lambda own, _: _flipped(own),
    "cut": lambda own, _: own[: len(own) // 2],
    "empty": lambda _own, _: b"",
    "gone": lambda _own, _: None,
    "the other's": lambda _own, other: other,
}


def damaged(room: Room) -> Outcome:
    """Of two torrents the saved progress of one is damaged; a piece of it is wrong, which only hashing finds."""
    first, second = make(room.below("one"), _SIZE), make(room.below("two"), _SIZE, seed=2)
    state = room.below("state")
    with _kept(room, state) as session:
        for torrent in (first, second):
            session.ask("add", torrent.path, torrent.folder)
            session.until(lambda status: status["state"] == "seeding")
        session.quit()
    _spoil(first.folder / NAME)
    ways = dict(room.rng.sample(sorted(WAYS.items()), 1)) if room.short else WAYS
    whole, right = _resume(state, first), first.right(first.folder)
    for name, damage in ways.items():
        _write(state, first, damage(whole, _resume(state, second)))
        with _kept(room, state) as session:
            port = session.ask("port")
            found = {torrent.path: claims(port, torrent) for torrent in (second, first)}
            session.quit()
        demand(found[second.path] == set(range(second.pieces)), f"{name}: of the other it claims {found[second.path]}")
        demand(found[first.path] == right, f"{name}: it claims {found[first.path]} of {right}")
    return Outcome(passed=True, figures={"ways": len(ways), "pieces claimed of both": second.pieces + len(right)})


def _kept(room: Room, state: Path) -> Remote:
    log = room.folder / f"log-session-{len(list(room.folder.glob('log-session-*')))}.txt"
    return Remote(state, log, keep_torrents=1)


def _spoil(path: Path) -> None:
    """Change a byte so that nobody sees it who only looks at size and time."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(_SPOILED * PIECE)
        byte = file.read(1)
        file.seek(_SPOILED * PIECE)
        file.write(bytes((byte[0] ^ 1,)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _resume(state: Path, torrent: Torrent) -> bytes:
    with closing(sqlite3.connect(state / FILE)) as connection:
        query = "SELECT resume FROM torrents WHERE info_hash = ?"
        [(blob,)] = connection.execute(query, (torrent.info_hash,)).fetchall()
    return bytes(blob)


def _write(state: Path, torrent: Torrent, blob: bytes | None) -> None:
    with closing(sqlite3.connect(state / FILE)) as connection, connection:
        query = "UPDATE torrents SET resume = ? WHERE info_hash = ?"
        demand(connection.execute(query, (blob, torrent.info_hash)).rowcount == 1, "there is nothing to damage")


ROWS = (
    Row(
        "others-go-on",
        "ENOSPC under one of two torrents of a session",
        "it alone stops, and says why; the other completes",
        full,
        lacking,
    ),
    Row(
        "state-of-one",
        "the saved progress of one of two torrents is damaged, gone, or the other's",
        "it alone is hashed, and claims what is right; the other is there as it was",
        damaged,
    ),
)
