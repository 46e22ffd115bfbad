"""The shared part: a target, and a loop that mutates its corpus and checks its invariant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import monotonic, process_time

SLOW_SECONDS = 1.0
"""CPU time that no single input may take."""

MAX_INPUT = 1 << 16
"""Bytes of an input; mutation grows no further."""

_MUTATIONS_UPTO = 8
_POOL = 200


@dataclass(frozen=True, slots=True)
class Target:
    """One parser.

    Attributes:
        name: as on the command line.
        corpus: inputs that reach deep into the parser.
        words: byte strings that matter to it, spliced in by mutation.
        check: runs the parser on an input and says whether it was accepted; any exception that leaves it is
            a finding.
    """

    name: str
    corpus: Sequence[bytes]
    words: Sequence[bytes]
    check: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke the invariant, and how."""

    data: bytes
    reason: str


def mutate(data: bytes, target: Target, rng: Random) -> bytes:
    """`data` after one to eight random edits."""
    out = bytearray(data)
    for _ in range(rng.randint(1, _MUTATIONS_UPTO)):
        at, span = rng.randint(0, len(out)), rng.randint(0, 8)
        match rng.randrange(7):
            case 0:
                out[at : at + 1] = rng.randbytes(1)
            case 1:
                del out[at : at + span]
            case 2:
                out[at:at] = rng.choice(target.words)
            case 3:
                out[at : at + span] = rng.choice(target.words)
            case 4:
                out[at:at] = out[at : at + span * 4] * rng.choice((1, 2, 50))
            case 5 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case _:
                donor = rng.choice(target.corpus)
                cut = rng.randint(0, len(donor))
                out[at:] = donor[cut:]
    return bytes(out[:MAX_INPUT])


def run(target: Target, seconds: float, seed: int) -> tuple[int, Finding | None]:
    """Fuzz until `seconds` are over or something is found; the number of inputs, and the finding."""
    rng = Random(f"{target.name} {seed}")
    accepted: list[bytes] = []
    until = monotonic() + seconds
    count = 0
    while count < len(target.corpus) or monotonic() < until:
        if count < len(target.corpus):
            data = target.corpus[count]
        else:
            data = mutate(rng.choice(rng.choice((target.corpus, accepted or target.corpus))), target, rng)
        count += 1
        started = process_time()
        try:
            good = target.check(data)
        except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
            return count, Finding(data, f"{type(error).__name__}: {error}")
        if process_time() - started > SLOW_SECONDS:
            return count, Finding(data, f"took {process_time() - started:.1f} s")
        if good and len(accepted) < _POOL:
            accepted.append(data)
        elif good and rng.random() < 0.1:
            # There is no coverage feedback: what drifts from accepted input to accepted input goes deeper.
            accepted[rng.randrange(_POOL)] = data
    return count, None
