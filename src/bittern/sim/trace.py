"""What happened in a world, as one running hash and a short memory of the last lines."""

from collections import deque
from hashlib import sha256
from itertools import islice


class Trace:
    """A SHA-256 over every line that was ever noted.

    Two runs with the same digest did the same things at the same times in the same order.
    """

    def __init__(self, keep: int = 400) -> None:
        self._hash = sha256()
        self._last: deque[str] = deque(maxlen=keep)
        self.lines = 0
        """How many lines were noted."""

    def note(self, now: float, line: str) -> None:
        """`line` happened at `now`."""
        text = f"{now!r} {line}\n"
        # A default repr holds an address in memory: it would differ from run to run.
        assert " at 0x" not in text, f"not reproducible: {text}"
        self._hash.update(text.encode())
        self._last.append(text)
        self.lines += 1

    def tracer(self, name: str) -> "ProcessTracer":
        """A tracer (`base.tracing.Tracer`) for the process called `name`."""
        return ProcessTracer(self, name)

    @property
    def digest(self) -> str:
        """The hash over everything until now, in hexadecimal."""
        return self._hash.hexdigest()

    def tail(self, count: int = 40) -> str:
        """The last lines, for a person who wonders what went wrong."""
        return "".join(islice(self._last, max(0, len(self._last) - count), None))


class ProcessTracer:
    """Notes the events of one process in the world's trace."""

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self._name = name

    def __call__(self, now: float, subject: str, event: str, /, **details: object) -> None:
        """`event` happened to `subject` at `now`."""
        told = " ".join(f"{key}={details[key]!r}" for key in sorted(details))
        self._trace.note(now, f"{self._name} {subject} {event} {told}")
