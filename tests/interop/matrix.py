"""The interop table's facts: which client has traded what with bittern, in which role, and how it went.

A run writes them as JSON to the file that BITTERN_INTEROP_JSON names (else build/interop.json), a part of `make test`
that runs beside others to one of its own; `docs/interop_table.py` makes README's tables of them.
"""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.rigs.client import Client


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One transfer between bittern and a partner. `role` is the partner's: seed or leecher."""

    client: str
    version: str
    role: str
    torrent: str
    passed: bool
    way: str = ""
    """How they were connected, where that is what the transfer is about."""


@dataclass
class Matrix:
    """The facts of one test run."""

    facts: list[Fact] = field(default_factory=list)

    @contextmanager
    def case(self, client: Client, role: str, torrent: str) -> Iterator[None]:
        """A transfer: passed when the block ends without an error."""
        passed = False
        try:
            yield
            passed = True
        finally:
            self.facts.append(Fact(client.name, client.version(), role, torrent, passed))

    def write(self, path: Path) -> None:
        """Write the facts, sorted; nothing when there are none."""
        if self.facts:
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [dataclasses.asdict(fact) for fact in sorted(self.facts)]
            path.write_text(json.dumps(rows, indent=1) + "\n")
