"""Everything that hostile peers do, at length: do honest ones wait, does memory grow, does anything stay?

    python -m bench.hostile [MISDEED...] [--seconds 2] [--handshakes 10000] [--list]

One session of bittern's has a torrent, wants another, and has a link to a third. Meanwhile an honest leecher asks it
for a block every 50 ms, an honest seed answers one of its requests every 100 ms, and the same leecher asks a program
that does nothing else: the control. Each misdeed of tests/faults/misdeeds is done to it for so many seconds; the
heaviest floods again, while libtorrent downloads from it. Then come handshakes by the thousand, good ones and bad ones,
and what each costs of a processor, two kinds at a time, each to a session of its own. It takes about a quarter of an
hour. bittern's aims: nobody honest waits for more than a second, and for what the session itself had to wait for a
processor; libtorrent has half of its rate at least; 10 MiB; nothing stays behind; who does it meets the fate that
docs/hostile-peers.md names; a bad handshake costs 1.5 good ones at most.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any

from bench import machine, report
from tests.faults.misdeeds import MISDEEDS
from tests.faults.rigs.arena import Arena, Outcome
from tests.faults.rigs.beside import RATE, Beside, Yard
from tests.faults.rigs.handshakes import KINDS, Kind, cost
from tests.faults.rigs.misdeed import Against, Misdeed
from tests.faults.rigs.torrent import MIB

DEARER = 1.5
"""A bad handshake costs no more than so many good ones."""
IDLE_SECONDS = 5.0
KINDS_AT_ONCE = 2
"""Sessions let in 250 connections a second: that leaves most of a processor to others."""
HEAVIEST = (
    "all_floods_at_once",
    "requests_for_all_by_a_crowd",
    "requests_taken_back",
    "extension_handshakes",
    "chokes_and_unchokes",
    "interest_back_and_forth_read",
    "holepunch_requests",
    "ports_of_the_table",
    "joins_and_leaves",
    "never_acknowledges",
    "questions_of_many",
    "keys_and_resets",
)
"""Those of a seed that cost it most, by what they do."""
Played = tuple[Misdeed, Against, Outcome]
Accompanied = tuple[Misdeed, Beside]


def table(played: Sequence[Played]) -> str:
    """A row for each."""
    columns = [
        "done",
        "to",
        "fate",
        "leecher waited, ms",
        "seed, ms",
        "control, ms",
        "newcomer, ms",
        "MiB",
        "CPU s",
        "s",
    ]
    rows = []
    for misdeed, against, outcome in played:
        waits = (outcome.leech_seconds, outcome.seed_seconds, outcome.control_seconds, outcome.newcomer_seconds)
        figures = [*(f"{1000 * wait:.0f}" for wait in waits), f"{outcome.memory / MIB:.1f}"]
        fate = misdeed.fate.value if not outcome.wrongs else f"**{'; '.join(outcome.wrongs)}**"
        rows.append(
            [misdeed.what, against.value, fate, *figures, f"{outcome.cpu_seconds:.2f}", f"{outcome.took_seconds:.1f}"]
        )
    return report.markdown(columns, rows)


def table_beside(accompanied: Sequence[Accompanied]) -> str:
    """A row for each."""
    columns = ["done", "rate, MiB/s", "beside it", "ratio", "waited, ms", "beside it, ms", "control, ms", "CPU s", "s"]
    rows = []
    for misdeed, each in accompanied:
        rates = [f"{look.rate / MIB:.2f}" for look in (each.before, each.meanwhile)]
        waits = (each.before.waited, each.meanwhile.waited, each.outcome.control_seconds)
        ratio = f"**{'; '.join(each.wrongs)}**" if each.wrongs else f"{each.ratio:.2f}"
        spent = (f"{each.outcome.cpu_seconds:.2f}", f"{each.outcome.took_seconds:.1f}")
        rows.append([misdeed.what, *rates, ratio, *(f"{1000 * wait:.0f}" for wait in waits), *spent])
    return report.markdown(columns, rows)


def accompany(folder: Path, chosen: Sequence[Misdeed], seconds: float) -> list[Accompanied]:
    """The heaviest of them once more, while libtorrent downloads from the session."""
    heaviest = [misdeed for misdeed in chosen if misdeed.name in HEAVIEST]
    if not heaviest:
        return []
    (folder / "beside").mkdir()
    accompanied = []
    with ExitStack() as stack:
        yard = Yard(folder / "beside", stack)
        for number, misdeed in enumerate(heaviest):
            beside = yard.play(misdeed, number, seconds)
            accompanied.append((misdeed, beside))
            print(f"{misdeed.name} beside libtorrent: {'; '.join(beside.wrongs) or f'{beside.ratio:.2f}'}", flush=True)
    return accompanied


def play(folder: Path, chosen: Sequence[Misdeed], seconds: float) -> list[Played]:
    """All of them, each against each of those whom it is done to; a session for each kind of misdeed."""
    played: list[Played] = []
    for number, misdeeds in enumerate(MISDEEDS.values()):
        ours = [misdeed for misdeed in misdeeds if misdeed in chosen]
        if not ours:
            continue
        (folder / f"{number}").mkdir()
        numbers = count()
        with ExitStack() as stack:
            arena = Arena(folder / f"{number}", stack)
            for misdeed, against in chain.from_iterable(((each, whom) for whom in each.against) for each in ours):
                outcome = arena.play(misdeed, against, next(numbers), seconds)
                played.append((misdeed, against, outcome))
                verdict = "; ".join(outcome.wrongs) or misdeed.fate.value
                print(f"{misdeed.name} to {against.value}: {verdict}, {outcome.took_seconds:.1f} s", flush=True)
    return played


def shake(folder: Path, number: int) -> dict[str, tuple[float, float]]:
    """CPU milliseconds of each kind of handshake, and the longest that an honest leecher waited meanwhile."""

    def one(kind: Kind) -> tuple[float, float]:
        place = folder / f"shake-{KINDS.index(kind)}"
        place.mkdir()
        with ExitStack() as stack:
            arena = Arena(place, stack)
            torrent, victim = arena.torrents[Against.SEED], arena.victim
            arena.waits()
            each = cost(kind, victim.running.pid, victim.port, torrent.info_hash, number, IDLE_SECONDS)
            waited = arena.waits()[0]
        print(f"{kind.what}: {each:.3f} ms", flush=True)
        return each, waited

    with ThreadPoolExecutor(KINDS_AT_ONCE) as threads:
        return dict(zip((kind.what for kind in KINDS), threads.map(one, KINDS), strict=True))


def dearer(costs: dict[str, tuple[float, float]]) -> list[str]:
    """Which bad handshakes cost too much."""
    return [
        f"{kind.what} costs {costs[kind.what][0]:.2f} ms, {kind.like} {costs[kind.like][0]:.2f} ms"
        for kind in KINDS
        if kind.like is not None and costs and costs[kind.what][0] > DEARER * costs[kind.like][0]
    ]


def main() -> None:
    """Play, shake, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("misdeeds", nargs="*", metavar="MISDEED", help="which (all, and handshakes)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of what can go on for ever (2)")
    parser.add_argument("--handshakes", type=int, default=10_000, help="of each kind (10,000)")
    parser.add_argument("--list", action="store_true", help="say what there is")
    args = parser.parse_args()
    every = list(chain.from_iterable(MISDEEDS.values()))
    if unknown := set(args.misdeeds) - {misdeed.name for misdeed in every}:
        parser.error(f"no such misdeed: {', '.join(sorted(unknown))}; --list says what there is")
    if args.list:
        print("\n".join(f"{misdeed.name}: {misdeed.what}" for misdeed in every))
        return
    machine.enter_loopback_only("bench.hostile")
    chosen = [misdeed for misdeed in every if misdeed.name in args.misdeeds or not args.misdeeds]
    with machine.scratch() as scratch:
        played = play(scratch, chosen, args.seconds)
        accompanied = accompany(scratch, chosen, args.seconds)
        costs = shake(scratch, args.handshakes) if not args.misdeeds else {}
    wrongs = [f"{misdeed.name}: {wrong}" for misdeed, _, outcome in played for wrong in outcome.wrongs]
    wrongs += [f"{misdeed.name} beside libtorrent: {wrong}" for misdeed, each in accompanied for wrong in each.wrongs]
    wrongs += dearer(costs)
    if not args.misdeeds:
        _save(played, accompanied, costs, args)
    if wrongs:
        raise SystemExit("\n".join(wrongs))


def _save(
    played: Sequence[Played],
    accompanied: Sequence[Accompanied],
    costs: dict[str, tuple[float, float]],
    args: argparse.Namespace,
) -> None:
    rows = [[what, f"{each:.3f}", f"{1000 * wait:.0f}"] for what, (each, wait) in costs.items()]
    handshakes = report.markdown(["handshake", "CPU ms", "leecher waited, ms"], rows)
    tables = {
        f"Misdeeds, {args.seconds:g} s each where they can go on": table(played),
        f"libtorrent beside the heaviest of them, at {RATE // MIB} MiB/s": table_beside(accompanied),
        f"{args.handshakes:,} handshakes of each kind": handshakes,
    }
    figures: list[dict[str, Any]] = [
        {"misdeed": misdeed.name, "against": against.value, "fate": misdeed.fate.value, **asdict(outcome)}
        for misdeed, against, outcome in played
    ]
    figures += [
        {"misdeed": misdeed.name, "beside": "libtorrent", **asdict(each), "ratio": each.ratio}
        for misdeed, each in accompanied
    ]
    figures += [{"handshake": what, "cpu_ms": each, "leech_seconds": wait} for what, (each, wait) in costs.items()]
    report.save("hostile", "Hostile peers", tables, figures)


if __name__ == "__main__":
    main()
