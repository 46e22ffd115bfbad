"""kill -9 again and again: does bittern claim what is not there, or fetch again what is?

*False* pieces are claimed and wrong; *forgotten* ones are right and not claimed. *Again* are bytes that the seed has
to send once more. They cannot be more than what was *in flight*: blocks that were asked for, of pieces that nobody
had been told of when the kill came; a proxy before the seed reads that off the wire.
"""

import statistics
from collections.abc import Sequence

from bittern.engine.settings import EngineSettings
from drill.row import Figure, Outcome, Room, Row
from drill.scene import seed_of
from tests.faults.rigs.kills import Drill, Kill
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, make
from tests.session.moves import MoveKill, Moves

AIM_AGAIN = 0.01
"""Of the torrent, all kills together, may come again beyond what was in flight."""
WINDOW = EngineSettings().max_requests_outstanding * BLOCK + EngineSettings().disk_queue_bytes + PIECE
"""Bytes that can be in flight with one peer at most: asked ahead, given to the disk, and the rest of a piece."""
RATE = "20M"


def download(room: Room) -> Outcome:
    """One download, killed at random moments that are spread evenly over it."""
    size, kills = (16 * MIB, 5) if room.short else (128 * MIB, 100)
    torrent = make(room.below("content"), size)
    drill = Drill(torrent, seed_of(torrent, room), room.below("get"), room.rng, ("--down-limit", RATE))
    return _outcome(list(drill.download(kills)), size)


def check(room: Room) -> Outcome:
    """A complete download of which one more piece is spoiled each time; its check is killed."""
    size, kills = (16 * MIB, 3) if room.short else (128 * MIB, 20)
    torrent = make(room.below("content"), size)
    drill = Drill(torrent, seed_of(torrent, room), room.below("get"), room.rng)
    drill.complete()
    return _outcome(list(drill.check(kills)), size)


def move(room: Room) -> Outcome:
    """16 files that move to and fro, on one file system and between two; all of them are whole after each kill."""
    kills = list(Moves(room.below("moves"), room.rng).kill(3 if room.short else 20))
    return Outcome(passed=True, figures=figures_of_moves(kills))


def figures(kills: Sequence[Kill], size: int) -> dict[str, Figure]:
    """What many kills did, in all."""
    again, in_flight = [kill.again for kill in kills], [kill.in_flight for kill in kills]
    return {
        "kills": len(kills),
        "false pieces": sum(kill.false for kill in kills),
        "forgotten pieces": sum(kill.forgotten for kill in kills),
        "again KiB, median": round(statistics.median(again) / 1024),
        "again KiB, most": round(max(again) / 1024),
        "again in all, % of the torrent": round(100 * sum(again) / size, 1),
        "in flight KiB, median": round(statistics.median(in_flight) / 1024),
    }


def figures_of_moves(kills: Sequence[MoveKill]) -> dict[str, Figure]:
    """What kills of moves met."""
    return {
        "kills": len(kills),
        "between file systems": sum(kill.kind == "other" for kill in kills),
        "files in both places": sum(bool(kill.old_bytes and kill.new_bytes) for kill in kills),
        "a file half copied": sum(kill.draft_bytes > 0 for kill in kills),
    }


def shortfalls(kills: Sequence[Kill], size: int) -> list[str]:
    """Which aims were missed."""
    beyond = sum(kill.again - kill.in_flight for kill in kills)
    found = [f"{kill.false} false pieces after a kill of the {kill.during}" for kill in kills if kill.false]
    if beyond > AIM_AGAIN * size:
        found.append(f"{beyond} bytes came again though they were not in flight")
    found += [f"{kill.in_flight} bytes were in flight" for kill in kills if kill.in_flight > WINDOW]
    return found


def _outcome(kills: Sequence[Kill], size: int) -> Outcome:
    missed = shortfalls(kills, size)
    return Outcome(not missed, figures(kills, size), "; ".join(missed))


ROWS = (
    Row(
        "kill-download",
        "kill -9 at random moments of a download",
        "no false piece; nothing comes again but what was in flight, and 1 % of the torrent for all kills together",
        download,
    ),
    Row("kill-check", "kill -9 at random moments of a check", "no false piece, and the check goes on", check),
    Row("kill-move", "kill -9 at random moments of a move", "every file whole at one place; a restart goes on", move),
)
