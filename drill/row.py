"""What a row of the drill is, and what it may use."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from traceback import extract_tb
from types import TracebackType
from typing import Self, TypeVar

from tests.interop.rigs.process import Running

T = TypeVar("T")
Figure = int | float | str


class UnmetError(AssertionError):
    """A demand was not met, or the fault did not happen."""


def demand(met: object, otherwise: str) -> None:
    """Go on only if `met` is true.

    Raises:
        UnmetError: it is not; says `otherwise`.
    """
    if not met:
        raise UnmetError(otherwise)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row.

    Attributes:
        passed: whether the demand was met, with the fault there.
        figures: what was measured, by name with its unit.
        remarks: what else there is to say; why it did not pass.
    """

    passed: bool
    figures: Mapping[str, Figure] = field(default_factory=dict)
    remarks: str = ""


class Room:
    """What one row has to itself; whatever it starts here has ended, and is gone, when the `with` block ends.

    Args:
        folder: an empty one.
        rng: for all that is left to chance.
        short: whether seconds matter more than numbers.
    """

    def __init__(self, folder: Path, rng: Random, *, short: bool) -> None:
        self.folder = folder
        self.rng = rng
        self.short = short
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context until the row is over; the latest is left first."""
        return self._stack.enter_context(context)

    def start(self, *command: str | Path, env: Mapping[str, str] | None = None, talks: bool = False) -> Running:
        """A program that runs until it is stopped, at the end of the row at the latest; its log is in the folder."""
        log = self.folder / f"{Path(command[0]).name}-{len(list(self.folder.glob('*.txt')))}.txt"
        return self.enter(Running([str(word) for word in command], log, env=env, talks=talks))

    def below(self, name: str) -> Path:
        """A folder of this name, made when missing."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what bittern owes its user then.

    Attributes:
        name: what to call it on the command line, as "kill-download".
        fault: what happens.
        demand: what must come of it.
        run: makes the fault happen and looks. It raises AssertionError, or another error of its rigs, where the
            demand is not met, and also where the fault did not happen.
        missing: what keeps this machine from running it, or None.
        waits: whether it does next to nothing but wait, and so may run beside any others.
    """

    name: str
    fault: str
    demand: str
    run: Callable[[Room], Outcome]
    missing: Callable[[], str | None] = lambda: None
    waits: bool = False

    def outcome(self, room: Room) -> Outcome:
        """Run it; what was raised is a failure and its reason."""
        try:
            with room:
                return self.run(room)
        except Exception as error:  # noqa: BLE001 - the rows after it are to run, whatever this one met
            return Outcome(passed=False, remarks=_told(error))


def _told(error: Exception) -> str:
    """What it says, and of what says nothing by itself where it was raised."""
    where = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}" if str(error) else f"{where.filename}:{where.lineno}: {where.line}"
