"""The shared part: a target, and a loop that mutates what it knows, keeps what leads to new lines, and checks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import process_time

from fuzz.reach import Reach

SLOW_SECONDS = 1.0
"""CPU time that no single input may take."""

MAX_INPUT = 1 << 16
"""Bytes of an input; mutation grows no further."""

EARLY_SHARE = 0.25
"""The part of a run after which memory is measured for the first time: by then all that is loaded once is there."""

Edit = Callable[[bytes, Random], bytes]
"""A mutation that knows how an input is built; it returns what it cannot read as it is."""

_MUTATIONS_UPTO = 8
_EDITS_UPTO = 4
_DRIFTING = 200
_TRIMS = 30


@dataclass(frozen=True, slots=True)
class Target:
    """One parser, or one whole handler.

    Attributes:
        name: as on the command line.
        corpus: inputs that reach deep into it; those in `fuzz/corpus/NAME` come on top.
        words: byte strings that matter to it, spliced in by mutation.
        check: runs it on an input and says whether that was accepted; any exception that leaves it is a finding.
        edits: mutations that keep an input's form.
        slow_seconds: CPU time that no single input may take.
    """

    name: str
    corpus: Sequence[bytes]
    words: Sequence[bytes]
    check: Callable[[bytes], bool]
    edits: Sequence[Edit] = ()
    slow_seconds: float = SLOW_SECONDS


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke the invariant, and how."""

    data: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        inputs: how many there were.
        seconds: of CPU time.
        lines: of bittern that were reached.
        growth: bytes by which the process grew after the first quarter of the run, kept inputs left out.
        fresh: inputs that reached lines which no input before them did, trimmed.
        finding: what ended the run early, if anything.
    """

    inputs: int
    seconds: float
    lines: int
    growth: int
    fresh: tuple[bytes, ...]
    finding: Finding | None


def judge(target: Target, data: bytes) -> tuple[bool, Finding | None]:
    """Whether `target` accepts `data`, and what is wrong with what it did, if anything."""
    started = process_time()
    try:
        good = target.check(data)
    except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
        return False, Finding(data, f"{type(error).__name__}: {error}")
    if process_time() - started > target.slow_seconds:
        return False, Finding(data, f"took {process_time() - started:.1f} s")
    return good, None


def mutate(data: bytes, target: Target, donors: Sequence[bytes], rng: Random) -> bytes:
    """`data` after some random edits: blind ones, or such as keep its form, or both."""
    blind = True
    if target.edits:
        kind = rng.randrange(4)
        if kind:
            for _ in range(rng.randint(1, _EDITS_UPTO)):
                data = rng.choice(target.edits)(data, rng)
        blind = kind < 2
    return bytes((_scramble(data, target, donors, rng) if blind else data)[:MAX_INPUT])


def _scramble(data: bytes, target: Target, donors: Sequence[bytes], rng: Random) -> bytes:
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
                donor = rng.choice(donors)
                cut = rng.randint(0, len(donor))
                out[at:] = donor[cut:]
    return bytes(out)


class Run:
    """A target under fire.

    Args:
        target: what is tried.
        seed: of all chance.
        more: inputs to begin with, beside the target's own.
    """

    def __init__(self, target: Target, seed: int, more: Iterable[bytes] = ()) -> None:
        self._target = target
        self._rng = Random(f"{target.name} {seed}")
        self._known = list(dict.fromkeys((*target.corpus, *more)))
        self._start = len(self._known)
        self._drifting: list[bytes] = []
        self._reach = Reach()
        self._inputs = 0

    def go(self, seconds: float) -> Outcome:
        """Try what is known, then mutations of it until `seconds` of CPU time are over or something is found."""
        began = process_time()
        finding = next(filter(None, map(self._once, self._known[: self._start])), None)
        early: int | None = None
        while finding is None and (spent := process_time() - began) < seconds:
            if early is None and spent > seconds * EARLY_SHARE:
                early = _resident() - self._held()
            finding = self._once(self._mutated())
        spent = process_time() - began
        growth = _resident() - self._held() - early if early is not None else 0
        fresh = self._known[self._start :]
        return Outcome(self._inputs, spent, self._reach.lines, growth, tuple(fresh), finding)

    def _held(self) -> int:
        """Bytes of the inputs that are kept here."""
        return sum(map(len, (*self._known, *self._drifting)))

    def _mutated(self) -> bytes:
        rng = self._rng
        source = self._drifting if self._drifting and rng.random() < 0.4 else self._known
        if len(self._known) > self._start and rng.random() < 0.3:
            source = self._known[-20:]  # what is new leads on
        return mutate(rng.choice(source), self._target, self._known, rng)

    def _once(self, data: bytes) -> Finding | None:
        self._inputs += 1
        with self._reach:
            good, finding = judge(self._target, data)
        if finding is not None:
            # Tracing costs time: only what is slow without it is slow.
            return judge(self._target, data)[1] if finding.reason.startswith("took") else finding
        fresh = self._reach.take_fresh()
        if fresh and self._inputs > self._start:
            self._known.append(self._trimmed(data, fresh))
        elif good and len(self._drifting) < _DRIFTING:
            self._drifting.append(data)
        elif good and self._rng.random() < 0.1:
            # What drifts from accepted input to accepted input reaches states that lines do not tell.
            self._drifting[self._rng.randrange(_DRIFTING)] = data
        return None

    def _trimmed(self, data: bytes, lines: frozenset[tuple[str, int]]) -> bytes:
        """A smaller input that reaches all the new lines, too."""
        size, tries = max(1, len(data) // 2), 0
        while size and tries < _TRIMS:
            at = 0
            while at < len(data) and tries < _TRIMS:
                tries += 1
                shorter = data[:at] + data[at + size :]
                if self._reach.reached(lines, lambda data: judge(self._target, data), shorter):
                    data = shorter
                else:
                    at += size
            size //= 2
        return data


def run(target: Target, seconds: float, seed: int, more: Iterable[bytes] = ()) -> Outcome:
    """Fuzz until `seconds` of CPU time are over or something is found; `more` is known beside the target's own."""
    return Run(target, seed, more).go(seconds)


def _resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
