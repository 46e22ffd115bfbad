"""Files that are gone, short, changed or touched, at the start and under a running seed."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

from bittern.io.disk.handles import LOOK_SECONDS
from drill.row import Figure, Outcome, Room, Row, demand
from drill.scene import Scene, seed_of
from tests.faults.rigs import wire
from tests.faults.rigs.claims import claims
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE, Torrent, make_album
from tests.interop.rigs.place import LOOPBACK

MISSING, EXISTS = 3, 13  # of contract.md: not found, file exists
_SIZES = (300_000, 10, 2 * MIB - 300_010)
_WAIT = 60


def _complete(room: Room, name: str, torrent: Torrent, seed: int) -> Scene:
    scene = Scene(room, torrent, name)
    scene.complete(seed)
    return scene


def gone(room: Room) -> Outcome:
    """A file, then the whole folder (an empty mount), is not there any more; then it is put back."""
    torrent = make_album(room.below("content"), _SIZES)
    seed = seed_of(torrent, room)
    scene = _complete(room, "file", torrent, seed)
    last, away = scene.into / torrent.files[-1][0], room.folder / "away"

    def misses(path: Path) -> None:
        with scene.get(seed) as job:
            demand(job.ends(_WAIT) == MISSING, f"exit status {job.running.exit_code}")
            [line] = job.messages
        demand(str(path) in line and "put it back" in line, line)
        demand(not path.exists(), f"{path} was made anew")

    last.rename(away)
    misses(last)
    away.rename(last)
    demand(scene.complete(seed) < PIECE, "what came back was fetched again")
    scene.into.rename(away)
    scene.into.mkdir(mode=0o755)
    misses(scene.into / torrent.files[0][0])
    demand(not list(scene.into.iterdir()), "something was put into the empty mount")
    scene.into.rmdir()
    away.rename(scene.into)
    again = scene.complete(seed)
    demand(again < PIECE, "what came back was fetched again")
    return Outcome(passed=True, figures={"fetched again, bytes": again})


def _spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100_000)
        file.write(b"spoiled")


CHANGES: dict[str, Callable[[Path], None]] = {
    "short": lambda path: os.truncate(path, 100_000),
    "spoiled": _spoil,
    "touched": lambda path: os.utime(path, ns=(5, 5)),
    "longer": lambda path: os.truncate(path, path.stat().st_size + 1),
}


def changed(room: Room) -> Outcome:
    """A file was cut, spoiled, touched, or made longer, while nothing ran."""
    torrent = make_album(room.below("content"), _SIZES)
    seed = seed_of(torrent, room)
    first = -(-_SIZES[0] // PIECE)  # pieces with bytes of the first file
    figures: dict[str, Figure] = {}
    for name, change in CHANGES.items():
        scene = _complete(room, name, torrent, seed)
        path = scene.into / torrent.files[0][0]
        change(path)
        if name == "longer":
            with scene.get(seed) as job:
                demand(job.ends(_WAIT) == EXISTS, f"exit status {job.running.exit_code}")
            demand(path.stat().st_size == _SIZES[0] + 1, "somebody else's bytes were cut off")
            os.truncate(path, _SIZES[0])
        lost = torrent.pieces - len(scene.right())
        with scene.get(seed) as job:
            demand(job.ends(_WAIT) == 0, f"{name}: {job.lines[-3:]}")
            checked = [event["total_bytes"] for event in job.events("checking")]
            done = job.saw("checked")["done_bytes"]
        scene.is_whole()
        demand(done == (torrent.pieces - lost) * PIECE, f"{name}: {done} bytes were found, {lost} pieces lost")
        most = max(checked, default=0)
        demand(most <= first * PIECE, f"{name}: {most} bytes were to be read for a file of {_SIZES[0]}")
        figures[f"{name}: pieces lost"] = lost
    return Outcome(passed=True, figures=figures)


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)


UNDER_A_SEED: dict[str, Callable[[Path], None]] = {
    "cut": lambda path: os.truncate(path, 100_000),
    "spoiled": _spoil,
    "replaced": _replace,
    "deleted": lambda path: path.unlink(),
}


def while_seeding(room: Room) -> Outcome:
    """A file is cut, spoiled, replaced or deleted while it is seeded, between requests for its blocks."""
    torrent = make_album(room.below("content"), _SIZES)
    seed = seed_of(torrent, room)
    ways = dict(room.rng.sample(sorted(UNDER_A_SEED.items()), 1)) if room.short else UNDER_A_SEED
    figures: dict[str, Figure] = {}
    for name, change in ways.items():
        scene = _complete(room, name, torrent, seed)
        port = LOOPBACK.free_port()
        with scene.get(more=("--seed-time", "5"), port=port) as job:
            claims(port, torrent)
            before = blocks_from(port, torrent, 0.0)
            demand(before["wrong"] == before["refused"] == 0, f"{name}: not a good seed, {before}")
            change(scene.into / torrent.files[-1][0])
            after = blocks_from(port, torrent, LOOK_SECONDS + 3)
            if job.running.exit_code is None:
                job.running.interrupt()
            code = job.ends(_WAIT)
            demand("Traceback" not in "\n".join(job.lines), f"{name}: {job.lines[-20:]}")
        demand(code in (0, 1, MISSING, 7, EXISTS), f"{name}: exit status {code}")
        demand(name == "spoiled" or not after["wrong"], f"{name}: {after['wrong']} blocks were served wrong")
        figures |= {f"{name}: blocks served {key}": count for key, count in after.items()}
        scene.judge()
        _heal(scene, seed, name)
    return Outcome(passed=True, figures=figures)


def blocks_from(port: int, torrent: Torrent, seconds: float) -> dict[str, int]:
    """Ask for every block of the last file once, and on until `seconds` have passed; what came of that, in blocks."""
    first = -(-sum(size for _, size in torrent.files[:-1]) // PIECE)
    wanted = [(piece, begin) for piece in range(first, torrent.pieces) for begin in range(0, PIECE, BLOCK)]
    found, end, rounds = Counter(right=0, wrong=0, refused=0), monotonic() + seconds, 0
    while not rounds or monotonic() < end:
        rounds += 1
        with suppress(OSError, wire.HangUpError), closing(wire.dial(port, torrent.info_hash)) as peer:
            peer.patience(2)
            peer.hello(reserved=wire.FAST)
            peer.greeted()
            peer.say(wire.INTERESTED)
            peer.until(wire.UNCHOKE)
            for piece, begin in wanted:
                peer.ask(piece, begin, BLOCK)
                kind, payload = peer.next()
                while kind not in (wire.PIECE, wire.REJECT):
                    kind, payload = peer.next()
                good = kind == wire.PIECE and payload[8:] == torrent.block(piece, begin, BLOCK)
                found["refused" if kind == wire.REJECT else "right" if good else "wrong"] += 1
        sleep(0.5 if seconds else 0)
    return dict(found)


def _heal(scene: Scene, seed: int, name: str) -> None:
    """The next run gets what is lost; where a file is missing only once it is told to."""
    scene.complete(seed, more=("--recheck", "--overwrite") if name in ("deleted", "replaced") else ())


ROWS = (
    Row(
        "files-gone",
        "a file, or all that was mounted, is gone at the start",
        "said with the file's name; nothing is made anew or fetched; goes on when it is back",
        gone,
    ),
    Row(
        "files-changed",
        "a file was cut, spoiled, touched or made longer before the start",
        "only its pieces are hashed, only what is lost is fetched, nobody's bytes are cut off",
        changed,
    ),
    Row(
        "files-while-seeding",
        "a file is cut, spoiled, replaced or deleted while it is seeded",
        "no crash; the next run claims nothing that is not right",
        while_seeding,
    ),
)
