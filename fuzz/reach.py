"""Which lines of bittern an input reaches."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import bittern

_ROOT = str(Path(bittern.__file__).parent)
_STALE = 500  # times that a function is entered without a new line before it is looked at less often
_SELDOM = 32  # how seldom: one time in so many

Line = tuple[str, int]
_Tracer = Callable[[FrameType, str, Any], Any]


class _Function:
    """The lines of one function that were not reached yet."""

    def __init__(self, code: CodeType, fresh: set[Line], wanted: frozenset[Line] | None) -> None:
        self.code = code  # kept alive: it is known by its id
        self.missing = {line for _, _, line in code.co_lines() if line is not None}
        self.missing.discard(code.co_firstlineno)
        if wanted is not None:
            self.missing = {line for line in self.missing if (code.co_filename, line) in wanted}
        self.calls = 0
        self._fresh = fresh

    def trace(self, frame: FrameType, event: str, arg: object) -> _Tracer:
        """See sys.settrace: a line is about to run."""
        line = frame.f_lineno
        if line in self.missing:
            self.missing.discard(line)
            self.calls = 0
            self._fresh.add((self.code.co_filename, line))
        return self.trace


class Reach:
    """Traces what runs inside of its `with` block, and counts lines that no block before it has reached.

    Functions whose lines were all reached cost a call of the tracer and no more; of those that only lack lines which
    nothing seems to reach, few calls are looked at.

    Args:
        wanted: the lines that count; None for all.

    Attributes:
        lines: how many were reached so far.
    """

    def __init__(self, wanted: frozenset[Line] | None = None) -> None:
        self.lines = 0
        self._wanted = wanted
        self._functions: dict[int, _Function | None] = {}
        self._fresh: set[Line] = set()

    def __enter__(self) -> None:
        sys.settrace(self._enter)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def take_fresh(self) -> frozenset[Line]:
        """The lines that were reached for the first time since the last call."""
        fresh = frozenset(self._fresh)
        self._fresh.clear()
        self.lines += len(fresh)
        return fresh

    @staticmethod
    def reached(lines: frozenset[Line], check: Callable[[bytes], object], data: bytes) -> bool:
        """Whether `check` reaches all of `lines` with `data`; nothing is counted."""
        alone = Reach(lines)
        with alone:
            check(data)
        return alone.take_fresh() == lines

    def _enter(self, frame: FrameType, event: str, arg: object) -> _Tracer | None:
        code = frame.f_code
        try:
            function = self._functions[id(code)]
        except KeyError:
            own = code.co_filename.startswith(_ROOT)
            function = self._functions[id(code)] = _Function(code, self._fresh, self._wanted) if own else None
        if function is None or not function.missing:
            return None
        function.calls += 1
        if function.calls > _STALE and function.calls % _SELDOM:
            return None
        return function.trace
