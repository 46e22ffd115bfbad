"""Flags from the environment and from config.toml, under those of the command line.

`--down-limit 1M` is `BITTERN_DOWN_LIMIT=1M` in the environment and `down-limit = "1M"` in config.toml: in
the table of one command (`[get]`), or above all tables for every command that has the flag. The command line wins
over the environment, the environment over the file, the command's table over the rest of the file.

The file is never written. One that cannot be understood is refused with its line, not half applied.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cyclopts import App, Argument, ArgumentCollection, Token, env_var_split

from .failures import UsageError

PREFIX = "BITTERN_"
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}

Source = Callable[[App, tuple[str, ...], ArgumentCollection], None]
"""What cyclopts calls with the arguments of the command that is about to run."""


def config_path(environ: Mapping[str, str]) -> Path:
    """`$BITTERN_CONFIG`, or config.toml in the user's configuration folder (XDG base directories)."""
    if named := environ.get("BITTERN_CONFIG"):
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME", "")
    # A relative XDG folder is to be ignored, says the specification.
    try:
        base = Path(home) if Path(home).is_absolute() else Path("~/.config").expanduser()
    except RuntimeError:  # a user without a home has configured nothing
        return Path(os.devnull)
    return base / "bittern" / "config.toml"


def from_environment(environ: Mapping[str, str], root: App, complain: Callable[[str], None]) -> Source:
    """Flags from `BITTERN_*`; names that the command does not have are another command's, or slips.

    Args:
        environ: all of it.
        root: the app of all commands, to tell these apart.
        complain: is told of a slip, which may have been there since long before this command.
    """

    def apply(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        del app
        if commands[:1] == ("lab",):
            return
        for key, text in sorted(environ.items()):
            if not key.startswith(PREFIX):
                continue
            name = key.removeprefix(PREFIX).lower().replace("_", "-")
            argument = _find(arguments, name)
            if argument is None and (near := _near(arguments, name)) and not _known(root, name):
                meant = PREFIX + near.upper().replace("-", "_")
                complain(f"{key} in the environment sets nothing; did you mean {meant}?")
            if argument and not argument.tokens:
                flag = argument.is_flag()
                values = [_truth(text, key)] if flag else env_var_split(argument.hint, text)
                _give(argument, values, key, "environment")

    return apply


def from_file(path: Path, root: App, *, must_exist: bool = False) -> Source:
    """Flags from config.toml.

    Args:
        path: the file.
        root: the app of all commands, to know which tables and keys there may be.
        must_exist: whether a file that is not there is an error; otherwise it sets nothing.
    """

    def apply(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        del app
        if commands[:1] == ("lab",):  # a tutorial's steps: the same on every machine
            return
        text = _read(path, must_exist=must_exist)
        if not text:
            return
        data = _parse(text, path)
        table: Any = data
        for name in commands:
            table = table.get(name, {})
            if not isinstance(table, dict):
                raise _at(path, text, name, f"`{name}` must be a table: write [{name}]")
        for key, value in table.items():
            if isinstance(value, dict):
                continue  # the table of a command below this one
            argument = _find(arguments, key)
            if argument is None:
                raise _at(path, text, key, f"`{' '.join(commands)}` has no flag --{key}", _near(arguments, key))
            _set(argument, value, key, path, text)
        for key, value in data.items():
            if isinstance(value, dict):
                if key not in root:
                    near = get_close_matches(key, [name for name in root if not name.startswith("-")], 1)
                    raise _at(path, text, key, f"there is no command `{key}`", next(iter(near), None))
                continue
            argument = _find(arguments, key)
            if argument is None and not _known(root, key):
                raise _at(path, text, key, f"no command has a flag --{key}", _near(arguments, key))
            if argument is not None and not argument.tokens:
                _set(argument, value, key, path, text)

    return apply


def _read(path: Path, *, must_exist: bool) -> str:
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            raise
        return ""
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: not UTF-8; correct the file") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", reason)
        line = (place and place[1]) or text.count("\n") + 1
        what = reason[: place.start()] if place else reason
        raise UsageError(f"{path}, line {line}: {what}; correct it or move the file away") from None


def _at(path: Path, text: str, key: str, what: str, meant: str | None = None) -> UsageError:
    pattern = re.compile(rf"""^\s*\[*\s*["']?{re.escape(key)}["']?\s*[\]=.]""", re.MULTILINE)
    found = pattern.search(text)
    line = text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())) + 1 if found else 1
    advice = f"did you mean {meant}?" if meant else "correct it or take it out"
    return UsageError(f"{path}, line {line}: {what}; {advice}")


def _known(root: App, key: str) -> bool:
    """Whether any command has the flag: loads them all, so it is asked for last."""
    return any(
        _find(app.assemble_argument_collection(), key) is not None
        for name in root
        if not name.startswith("-") and (app := root[name]).default_command is not None
    )


def _near(arguments: ArgumentCollection, key: str) -> str | None:
    """The flag whose name is much like `key`, without its dashes."""
    names = [name.removeprefix("--") for argument in arguments for name in argument.names if name.startswith("--")]
    return next(iter(get_close_matches(key.lower().replace("_", "-"), names, 1, 0.8)), None)


def _find(arguments: ArgumentCollection, key: str) -> Argument | None:
    try:
        return arguments.match(f"--{key}")[0]
    except ValueError:
        return None


def _set(argument: Argument, value: Any, key: str, path: Path, text: str) -> None:
    if argument.tokens:
        return
    values = value if isinstance(value, list) else [value]
    if any(not isinstance(item, str | int | float) for item in values):
        raise _at(path, text, key, f"`{key}` takes text, a number, true or false")
    if argument.is_flag() != isinstance(value, bool):
        raise _at(path, text, key, f"`{key}` {'must be' if argument.is_flag() else 'cannot be'} true or false")
    source = str(path)
    _give(argument, values if argument.is_flag() else [str(item) for item in values], key, source)


def _give(argument: Argument, values: Sequence[Any], key: str, source: str) -> None:
    for index, value in enumerate(values):
        if isinstance(value, bool):
            argument.append(Token(keyword=key, source=source, index=index, implicit_value=value))
        else:
            argument.append(Token(keyword=key, value=value, source=source, index=index))


def _truth(text: str, key: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise UsageError(f"{key}={text}: write 1 or 0")
    return word in _TRUE
