"""A session in a process of its own, told what to do line by line (see drivers/session.py)."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from drill.row import UnmetError
from tests.faults.rigs.kills import tied_to_us
from tests.interop.rigs.process import Running

ANSWER_SECONDS = 60
_DRIVER = Path(__file__).with_name("drivers") / "session.py"


class Remote:
    """A session that runs until the `with` block ends.

    Args:
        state: folder of its saved state.
        log: what it says besides answers.
        before: what goes before the command.
        settings: of the session; numbers.
    """

    def __init__(self, state: Path, log: Path, before: Sequence[str] = (), **settings: float) -> None:
        words = [str(state), *(f"{name}={value}" for name, value in settings.items())]
        command = [*before, *tied_to_us(), sys.executable, str(_DRIVER), *words]
        self.running = Running(command, log, talks=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running.stop()

    def ask(self, *words: str | Path | int) -> Any:
        """Its answer to a line."""
        self.tell(*words)
        return json.loads(self.running.read_line(ANSWER_SECONDS))

    def tell(self, *words: str | Path | int) -> None:
        """A line, of which no answer is waited for."""
        self.running.say("\t".join(map(str, words)))

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Its status once that is as it should be; `lag_ms` is the most of all that was asked for on the way.

        Raises:
            UnmetError: it does not become so.
        """
        end, lag = monotonic() + seconds, 0.0
        while True:
            status: dict[str, Any] = self.ask("status")
            lag = max(lag, status["lag_ms"])
            if condition(status):
                return {**status, "lag_ms": lag}
            if monotonic() > end:
                raise UnmetError(f"it stays like this: {status}")
            sleep(0.05)

    def quit(self) -> None:
        """End it in order."""
        self.tell("quit")
        self.running.wait(ANSWER_SECONDS)
