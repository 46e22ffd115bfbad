"""How the pure floors report what they do: a tracer is handed in, nothing is logged here."""

from typing import Protocol


class Tracer(Protocol):
    """Takes one event at a time. io turns it into logging, sim into the trace hash."""

    def __call__(self, now: float, subject: str, event: str, /, **details: object) -> None:
        """`event` happened to `subject` at `now`."""
        ...


def silent(now: float, subject: str, event: str, /, **details: object) -> None:
    """Tracer that drops everything."""
