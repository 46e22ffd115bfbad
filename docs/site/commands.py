"""What the program says of itself, for the reference: its commands, flags, variables, keys and exit codes.

A page has a comment `<!-- the program: PART -->` where the part belongs.
"""

import ast
import re
from collections.abc import Callable
from functools import cache
from inspect import getsource
from pathlib import Path
from typing import TYPE_CHECKING

from bittern.cli.config import PREFIX
from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import COMMANDS, build_app

if TYPE_CHECKING:
    from cyclopts import App

_PLACE = re.compile(r"^<!-- the program: (\w+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """A page with its parts filled in."""
    return _PLACE.sub(lambda match: PARTS[match[1]](), text)


@cache
def _app() -> "App":
    return build_app(Path("config.toml"))


@cache
def _commands() -> str:
    """Every command, as its help page has it."""
    text = _app().generate_docs()
    return text[text.index(f"## bittern {COMMANDS[0].name}\n") :]


def _flags() -> dict[str, list[str]]:
    """Each flag with the commands that have it."""
    found: dict[str, list[str]] = {}
    for command in COMMANDS:
        app = _app()[command.name]
        if app.default_command is None:
            continue
        for argument in app.assemble_argument_collection():
            flag = next((name for name in argument.names if name.startswith("--")), None)
            if flag and argument.show:
                found.setdefault(flag, []).append(command.name)
    return found


def _settings() -> str:
    """Each flag, with its variable and its key."""
    rows = ["| flag | in the environment | in config.toml | of |", "|---|---|---|---|"]
    for flag, commands in sorted(_flags().items()):
        key = flag.removeprefix("--")
        rows.append(f"| `{flag}` | `{PREFIX}{key.upper().replace('-', '_')}` | `{key}` | {', '.join(commands)} |")
    return "\n".join(rows)


def _exit_codes() -> str:
    """Each exit status and what it means, by the text below it in the source."""
    (body,) = [node.body for node in ast.parse(getsource(ExitCode)).body if isinstance(node, ast.ClassDef)]
    said = [
        str(node.value.value) for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    rows = [f"| {code.value} | {text} |" for code, text in zip(ExitCode, said[1:], strict=True)]
    return "\n".join(["| status | which means |", "|--:|---|", *rows])


PARTS: dict[str, Callable[[], str]] = {"commands": _commands, "settings": _settings, "exit_codes": _exit_codes}
