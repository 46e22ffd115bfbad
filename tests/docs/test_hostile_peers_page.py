"""docs/hostile-peers.md names tests: they exist."""

import ast
import re
from pathlib import Path

import pytest

from docs.interop_table import replaced
from docs.misdeeds_table import NAME, table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hostile-peers.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
SHOWN, _, _ = PAGE.partition("<!-- misdeeds -->")
ROWS = [line for line in SHOWN.splitlines() if line.startswith("|") and not line.startswith(("|---", "| what comes"))]


def functions(path: Path) -> set[str]:
    """Names of the test functions of a file."""
    found = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_is_named_is_there(path: str) -> None:
    assert {name for other, name in NAMED if other == path} - functions(ROOT / path) == set()


def test_every_row_names_a_test_and_nothing_else_in_its_last_column() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        *_, shown, _ = row.split("|")
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", shown.strip()), row


def test_every_misdeed_has_its_row() -> None:
    """Else run `python -m docs.misdeeds_table`."""
    assert replaced(PAGE, table(), NAME) == PAGE
