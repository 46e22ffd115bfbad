"""docs/faults.md names rows of the fault drill: they exist, and none is left out."""

import re
from pathlib import Path

from drill.rows import ROWS

PAGE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
LINES = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(("|---", "| what happens"))]
SHOWN = [line.rstrip("| ").rpartition("|")[2] for line in LINES]


def test_every_line_names_rows_and_nothing_else_in_its_last_column() -> None:
    assert len(LINES) > 20
    for line, shown in zip(LINES, SHOWN, strict=True):
        assert re.fullmatch(r" `[\w-]+`(, `[\w-]+`)*", shown), line


def test_every_row_that_is_named_is_there_and_every_row_is_named() -> None:
    named, there = {name for shown in SHOWN for name in re.findall(r"`([\w-]+)`", shown)}, {row.name for row in ROWS}
    assert sorted(named - there) == []
    assert sorted(there - named) == []
