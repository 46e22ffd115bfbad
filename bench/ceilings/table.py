"""Every ceiling, and what each of its steps may cost: the one place with the limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from . import connections, files, hours, huge_file, metadata, pieces, torrents
from .meter import Measured, Meter, Step

FLOOR = Step(controls=150, grown_mib=75)
"""What a step of a short form may cost beside its share of the limit: what does not shrink with the size."""


class Run(Protocol):
    """Plays one ceiling."""

    def __call__(self, meter: Meter, folder: Path, *, short: bool) -> None:
        """Make what is needed in `folder`, and measure the steps."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Something large, and what it may cost.

    Attributes:
        title: for people.
        run: plays it.
        share: how large the short form is, of the whole.
        limits: for each step that is held to any.
    """

    title: str
    run: Run
    share: float
    limits: Mapping[str, Step]


CEILINGS = {
    "pieces": Ceiling(
        "1,000,000 pieces of 16 KiB",
        pieces.run,
        pieces.SHORT / pieces.PIECES,
        {
            "read the .torrent file": Step(15, 120, 20, 5),
            "add what is complete": Step(60, 250, 60, 20, 10),
            "start again": Step(15, 250, 60, 20, 5),
            "peers come to the seed, and go": Step(120, 400, 200, 120, 10),
            "the first pieces, while other peers come and go": Step(900, 600, 200, 120, 15),
            "remove it with its files": Step(60, 600, 60, 20, 10),
            "check all, some pieces are missing": Step(5000, 700, 60, 20, 10),
            "fetch these from three seeds": Step(1500, 900, 150, 40, 15),
        },
    ),
    "files": Ceiling(
        "100,000 files",
        files.run,
        files.SHORT / files.FILES,
        {
            "read the .torrent file": Step(200, 220, 20, 5),
            "add and check it": Step(900, 320, 200, 20, 30),
            "fetch one file in 50": Step(900, 500, 1200, 30, 30),
            "select half of them, and all of them": Step(60, 500, 1200, 30, 60),
            "fetch the others": Step(1800, 600, 1200, 30, 60),
            "move it": Step(1500, 650, 1200, 30, 30),
            "start again": Step(30, 650, 1200, 30, 10),
            "remove it with its files": Step(1200, 800, 1200, 30, 30),
        },
    ),
    "metadata": Ceiling(
        "30 MiB of metadata, by a magnet link",
        metadata.run,
        1 / metadata.SHORT,
        {
            "of many pieces": Step(120, 500, 60, 20, 20),
            "of many files": Step(900, 1100, 60, 20, 60),
        },
    ),
    "huge-file": Ceiling(
        "One file of 1 PiB, version 2",
        huge_file.run,
        huge_file.SHORT_PIECES / huge_file.PIECES,
        {
            "read the .torrent file": Step(250, 500, 20, 5),
            "add what is complete": Step(150, 500, 60, 20, 15),
            "start again": Step(15, 500, 60, 20, 5),
            "fetch a piece": Step(900, 800, 80, 30, 15),
            "leave it, with a piece of it": Step(60, 800, 60, 20, 15),
            "start again, with a piece of it": Step(15, 800, 60, 20, 5),
        },
    ),
    "connections": Ceiling(
        "2,000 connections",
        connections.run,
        connections.SHORT / connections.PEERS,
        {
            "they come": Step(300, 60, 2200, 30, 15),
            "they stay": Step(150, 60, 2200, 30, 10),
            "one more downloads 64 MiB": Step(150, 120, 2200, 40, 15),
            "they go": Step(60, 120, 2200, 30, 25),
        },
    ),
    "torrents": Ceiling(
        "10,000 torrents",
        torrents.run,
        torrents.SHORT / torrents.TORRENTS,
        {
            "add them": Step(5000, 150, 700, 400, 60),
            "start again": Step(60, 150, 60, 30, 20),
            "their files are looked at": Step(300, 150, 60, 30, 10),
            "they are idle": Step(120, 150, 60, 30, 10),
            "remove one in 10, with its files": Step(300, 150, 60, 30, 60),
        },
    ),
    "torrents-libtorrent": Ceiling(
        "10,000 torrents, with libtorrent",
        torrents.run_libtorrent,
        torrents.SHORT / torrents.TORRENTS,
        {},
    ),
    "hours": Ceiling(
        "72 hours, simulated",
        hours.run,
        hours.SHORT / hours.HOURS,
        {
            "a swarm, the first third": Step(2500, 150, 20),
            "a swarm, the rest": Step(5000, 200, 20),
            "a node of the DHT, the first third": Step(5000, 200, 20),
            "a node of the DHT, the rest": Step(9000, 200, 20),
        },
    ),
}


def broken(name: str, steps: Sequence[Measured], *, short: bool) -> list[str]:
    """The limits that the steps of a ceiling broke, and the steps that are missing, for people."""
    ceiling = CEILINGS[name]
    left = dict(ceiling.limits)
    complaints: list[str] = []
    for step in steps:
        limit = left.pop(step.name, None)
        if limit is None:
            continue
        limit = _shrunk(limit, ceiling.share) if short else limit
        for field in fields(Step):
            is_now, most = getattr(step.cost, field.name), getattr(limit, field.name)
            if is_now > most:
                complaints.append(f"{ceiling.title}: {step.name}: {field.name} {is_now:.1f}, at most {most:.1f}")
    return complaints + [f"{ceiling.title}: {name}: was not measured" for name in left]


def _shrunk(limit: Step, share: float) -> Step:
    return Step(
        controls=limit.controls * share + FLOOR.controls,
        grown_mib=limit.grown_mib * share + FLOOR.grown_mib,
        files=limit.files,
        tasks=limit.tasks,
        held_up=limit.held_up,
    )
