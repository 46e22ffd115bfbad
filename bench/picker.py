"""What choosing pieces costs in a large swarm: a `have`, a pick, a peer that comes or goes.

    python -m bench.picker [--peers 1000] [--pieces 100000]

No network and no disk: the picker alone, with as many peers and pieces as asked for.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from random import Random
from statistics import median
from typing import Any

from bench import report
from bittern.base.bitfield import Bitfield
from bittern.engine.download.picker import Picker

ROUNDS = 200
HAVES = 20_000


def timed(name: str, what: Callable[[Any], object], arguments: Iterable[Any]) -> dict[str, float | str | int]:
    """Call `what` with each argument: the median, the mean and the worst time of a call, in microseconds."""
    taken: list[int] = []
    for argument in arguments:
        start = time.perf_counter_ns()
        what(argument)
        taken.append(time.perf_counter_ns() - start)
    return {
        "what": name,
        "calls": len(taken),
        "median_us": median(taken) / 1000,
        "mean_us": sum(taken) / len(taken) / 1000,
        "worst_us": max(taken) / 1000,
    }


def random_pieces(size: int, share: float, rng: Random) -> Bitfield:
    """About this share of all pieces."""
    bits = int.from_bytes(rng.randbytes((size + 7) // 8))
    if share != 0.5:
        other = int.from_bytes(rng.randbytes((size + 7) // 8))
        bits = bits | other if share > 0.5 else bits & other
    return Bitfield.from_bytes((bits >> -size % 8 << -size % 8).to_bytes((size + 7) // 8), size)


def measure(peers: int, pieces: int, *, sequential: bool) -> list[dict[str, float | str | int]]:
    """All costs of one picker."""
    rng = Random(1)
    everything = Bitfield.full(pieces)
    picker = Picker(pieces, everything, rng, group=4, sequential=sequential)
    kinds = [random_pieces(pieces, share, rng) for share in (0.25, 0.5, 0.75)]
    near = Bitfield.full(pieces)
    for piece in rng.sample(range(pieces), 5):
        near.discard(piece)
    for number in range(peers):
        picker.peer_joined(kinds[number % 3])
    few = Bitfield(pieces, rng.sample(range(pieces), max(1, pieces // 1000)))
    haves = [rng.randrange(pieces) for _ in range(HAVES)]
    half = kinds[1]

    def begin(has: Bitfield) -> None:
        piece = picker.pick(has)
        if piece is not None:
            picker.begun(piece)

    def after_changes(has: Bitfield) -> Iterator[Bitfield]:
        for piece in haves[:ROUNDS]:
            picker.peer_lost(piece)  # what was looked up before is of no use any more
            yield has

    return [
        timed("have", picker.peer_gained, haves),
        timed("a near seed joins", picker.peer_joined, [near] * ROUNDS),
        timed("a near seed leaves", picker.peer_left, [near] * ROUNDS),
        timed("a peer with half joins", picker.peer_joined, [half] * ROUNDS),
        timed("a peer with half leaves", picker.peer_left, [half] * ROUNDS),
        timed("pick for a seed", begin, [everything] * (5 * ROUNDS)),
        timed("pick for a peer with half", begin, [half] * (5 * ROUNDS)),
        timed("pick for a peer with 1 in 1,000", begin, [few] * (pieces // 4000)),
        timed("the commonest of a peer with half", lambda has: picker.pick(has, common=True), [half] * ROUNDS),
        timed("worst: pick for a seed after a loss", begin, after_changes(everything)),
        timed("worst: pick for a peer with half after a loss", begin, after_changes(half)),
    ]


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--pieces", type=int, default=100_000)
    args = parser.parse_args()
    tables, figures = {}, []
    for sequential in (False, True):
        rows = measure(args.peers, args.pieces, sequential=sequential)
        cells = [
            [str(row["what"]), f"{row['median_us']:.1f}", f"{row['mean_us']:.1f}", f"{row['worst_us']:.0f}"]
            for row in rows
        ]
        order = "sequential" if sequential else "rarest first"
        tables[order] = report.markdown(["what", "median us", "mean us", "worst us"], cells)
        figures += [{"order": order, "peers": args.peers, "pieces": args.pieces, **row} for row in rows]
    report.save("picker", f"The picker with {args.peers:,} peers and {args.pieces:,} pieces", tables, figures)


if __name__ == "__main__":
    main()
