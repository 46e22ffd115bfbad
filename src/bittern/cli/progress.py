"""One line on a terminal that says how far the work is."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from .output import format_duration, format_rate, format_size

_INTERVAL_SECONDS = 0.1
_WIDTH = 24


class ProgressLine:
    """A progress line on stderr while the `with` block runs; nothing when that is no terminal.

    Args:
        label: what is done, a verb.
        stream: where to draw.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._on = self._stream.isatty()
        self._began = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._on:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __call__(self, done: int, total: int) -> None:
        """Draw `done` of `total` bytes, ten times a second at most."""
        now = time.monotonic()
        if not self._on or (now - self._drawn < _INTERVAL_SECONDS and done < total):
            return
        self._drawn = now
        rate = done / max(now - self._began, 1e-9)
        share = done / total if total else 1.0
        bar = ("#" * round(share * _WIDTH)).ljust(_WIDTH, ".")
        left = f", {format_duration((total - done) / rate)} left" if rate and done < total else ""
        text = f"{self._label} {bar} {share:4.0%} of {format_size(total)}, {format_rate(rate)}{left}"
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
