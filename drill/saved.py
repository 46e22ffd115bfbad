"""Saved state that is torn, empty, damaged or old: what else is saved loads, and nothing false is believed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from bittern.session.store import FILE
from drill.invariant import believed
from drill.row import Outcome, Room, Row, demand
from drill.scene import Scene, kill, seed_of
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import MIB, NAME, PIECE, make
from tests.interop.rigs.process import wait_until

_SIZE = 2 * MIB
_WAIT = 60
_WAL = f"{FILE}-wal"

Damage = Callable[[Path], object]
"""Does something to the folder of saved state."""


def _cut(name: str, at: int) -> Damage:
    return lambda state: (state / name).write_bytes((state / name).read_bytes()[:at])


def _flip(name: str, at: int) -> Damage:
    def damage(state: Path) -> None:
        data = bytearray((state / name).read_bytes())
        data[at] ^= 1 << at % 8
        (state / name).write_bytes(data)

    return damage


def _without(name: str) -> Damage:
    return lambda state: (state / name).unlink(missing_ok=True)


def _noise(name: str, rng: Random) -> Damage:
    return lambda state: (state / name).write_bytes(rng.randbytes((state / name).stat().st_size))


def damages(state: Path, rng: Random, each: int) -> Iterator[tuple[str, Damage]]:
    """What may be done to this state, by a name: `each` cuts and flips at random places of each file, and the rest."""
    for name in (FILE, _WAL):
        size = (state / name).stat().st_size
        for at in [0, size - 1, *(rng.randrange(size) for _ in range(each))]:
            yield f"{name} cut at {at}", _cut(name, at)
        for at in [rng.randrange(size) for _ in range(each)]:
            yield f"{name} with a bit flipped at {at}", _flip(name, at)
        yield f"without {name}", _without(name)
        yield f"{name} of noise", _noise(name, rng)


def damaged(room: Room) -> Outcome:
    """A download is killed half-way; its state is damaged in one of many ways, and it goes on."""
    torrent = make(room.below("content"), _SIZE)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    with Proxy(seed, limit=MIB) as half, scene.get(half.address) as job:
        demand(half.reached.wait(_WAIT), "nothing came")
        _wait_for_save(scene)
        kill(job)
    demand((scene.state / _WAL).stat().st_size, "there is no journal to damage")
    right, whole = len(scene.right()), room.folder / "whole"
    shutil.copytree(scene.state, whole / "state")
    shutil.copytree(scene.into, whole / "into", symlinks=True)
    ways = list(damages(scene.state, room.rng, 1 if room.short else 12))
    if room.short:
        ways = room.rng.sample(ways, 3)
    hashed = 0
    for name, damage in ways:
        shutil.rmtree(scene.state)
        shutil.copytree(whole / "state", scene.state)
        damage(scene.state)
        with Proxy(seed, shut=True) as shut, scene.get(shut.address) as job:
            found = int(job.saw("checked", "failed", seconds=_WAIT).get("done_bytes", -1))
            text = "\n".join(job.lines)
            hashed += bool(job.events("checking"))
            kill(job)
        demand("Traceback" not in text, f"{name}: {text[-2000:]}")
        demand(found == right * PIECE, f"{name}: {found} bytes were found of {right} right pieces; {text[-300:]}")
    again = scene.complete(seed)
    demand(again < PIECE, f"{again} bytes came again")
    return Outcome(passed=True, figures={"ways": len(ways), "of them the content was hashed": hashed})


def _wait_for_save(scene: Scene) -> None:
    """Until half of the torrent is not only stored but written down as well."""
    demand(wait_until(lambda: len(believed(scene.state, scene.torrent, scene.into)) >= 8, _WAIT, 0.2), "nothing saved")


def old(room: Room) -> Outcome:
    """State from before comes back (a backup), newer or older than the files; and that of another torrent."""
    torrent = make(room.below("content"), _SIZE)
    other = make(room.below("other"), _SIZE, seed=2)
    seed = seed_of(torrent, room)
    scene = Scene(room, torrent)
    with Proxy(seed, limit=MIB) as half, scene.get(half.address) as job:
        demand(half.reached.wait(_WAIT), "nothing came")
        _wait_for_save(scene)
        kill(job)
    early = room.folder / "early"
    shutil.copytree(scene.state, early / "state")
    shutil.copy2(scene.into / NAME, early / NAME)
    again = scene.complete(seed)
    late = room.folder / "late"
    shutil.copytree(scene.state, late)

    def begins_with(state: Path, file: Path | None) -> int:
        shutil.rmtree(scene.state)
        shutil.copytree(state, scene.state)
        if file is not None:
            shutil.copy2(file, scene.into / NAME)
        claimed = len(scene.judge())
        demand(claimed == len(scene.right()), f"{claimed} pieces are claimed of {len(scene.right())}")
        return claimed

    figures = {
        "old state, new file: pieces": begins_with(early / "state", None),
        "new state, old file: pieces": begins_with(late, early / NAME),
        "both old: pieces": begins_with(early / "state", early / NAME),
    }
    shutil.copy(other.folder / NAME, scene.into / NAME)
    for state in (early / "state", late):
        shutil.rmtree(scene.state)
        shutil.copytree(state, scene.state)
        with scene.get(seed) as job:
            demand(job.ends(_WAIT) == 13, f"another torrent's file: exit status {job.running.exit_code}")
        demand((scene.into / NAME).read_bytes() == other.data, "somebody else's file was overwritten")
    return Outcome(passed=True, figures={**figures, "fetched again, bytes": again})


ROWS = (
    Row(
        "state-damaged",
        "the saved state is cut, empty, noise, has bits flipped, lacks a file",
        "what can be read is believed, else everything is hashed: no right piece is lost, no false one believed",
        damaged,
    ),
    Row(
        "state-old",
        "the saved state, or the file, comes back from a backup, or is another torrent's",
        "all that is right is found by hashing; a file without a right piece is not touched",
        old,
    ),
)
