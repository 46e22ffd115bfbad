"""Tables of the modules of a room, each with the first sentence of its docstring.

A page has a comment `<!-- the modules: ROOM, ROOM -->` where they belong.
"""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "bittern"

_PLACE = re.compile(r"^<!-- the modules: ([\w/, ]+) -->$", re.MULTILINE)


class UnknownRoomError(Exception):
    """A page speaks of a room that is not there."""


def with_modules(text: str) -> str:
    """A page with its tables.

    Raises:
        UnknownRoomError: there is no such package.
    """
    return _PLACE.sub(lambda match: "\n\n".join(_table(room.strip()) for room in match[1].split(",")), text)


def _table(room: str) -> str:
    """What the package is for, and a row for each of its modules."""
    folder = PACKAGE / room
    if not (folder / "__init__.py").is_file():
        raise UnknownRoomError(f"{room}: there is no such package in {PACKAGE}")
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    rows = [f"| `{path.name}` | {said(path)} |" for path in modules]
    return "\n".join([f"**`{room}/`** {said(folder / '__init__.py')}", "", "| module | what for |", "|---|---|", *rows])


def said(path: Path) -> str:
    """The first paragraph of a module's docstring, as a cell of a table."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
