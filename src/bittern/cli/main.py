"""The entry point: finds the command, runs it, and turns what went wrong into one line and an exit code.

To add a command, write `commands/NAME.py` with a function and name it in `COMMANDS` below; that is all.

- The function's signature is the command line (cyclopts): parameters before `/` are operands, those after `*`
  are flags. `arguments.py` has the shared types (`Size`, `Count`, `Json`). Its docstring is the help page.
- It returns an `ExitCode`, or None for OK, and raises on failure: any `BitternError` or `OSError` becomes a line
  on stderr and the exit code that `failures.py` has for it. `error.add_note(path)` says where.
- It prints through `output.py`, remote text through `printable`.
- Its module is imported when the command runs, so it may import what it likes, but `bittern NAME --help` pays for it.
- A command with commands of its own is a `cyclopts.App` made by `group("NAME", "...", EXAMPLES)`.
- Flags come with `BITTERN_*` and config.toml support by themselves (`config.py`). There are no automatic
  `--no-x`, and the help page shows no defaults: say them in the docstring.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bittern.version import __version__

from .exit_codes import ExitCode
from .mistaken import meant_by, understood

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError, MissingArgumentError


class Command(NamedTuple):
    """A command and where it lives.

    Attributes:
        name: as typed.
        target: `module:function` (or `module:app`), relative to `bittern.cli.commands`.
        summary: its line in `bittern --help`.
        examples: at the end of its help page, without `bittern NAME`.
    """

    name: str
    target: str
    summary: str
    examples: tuple[str, ...] = ()


COMMANDS = (
    Command(
        "get",
        "get:get",
        "Download a torrent and verify it; run again to go on.",
        (
            "film.torrent -d films",
            "'magnet:?xt=urn:btih:...' --select-file 1-3,5",
            "film.torrent --down-limit 2M --seed-ratio 1",
        ),
    ),
    Command(
        "seed",
        "seed:seed",
        "Share files that are there.",
        ("film.torrent films", "film.torrent films --up-limit 500k --seed-time 60"),
    ),
    Command("info", "info:info", "Show what a torrent or magnet link says.", ("film.torrent", "film.torrent --json")),
    Command(
        "files",
        "files:files",
        "List the files of a torrent, with their numbers.",
        ("film.torrent", "'magnet:?xt=urn:btih:...'"),
    ),
    Command("magnet", "magnet:magnet", "Print the magnet link of a torrent.", ("film.torrent",)),
    Command(
        "create",
        "create:create",
        "Make a torrent from a file or folder.",
        ("film", "film -o new.torrent --tracker https://tracker.example/announce"),
    ),
    Command("verify", "verify:verify", "Check files against their torrent, piece by piece.", ("film.torrent films",)),
    Command(
        "edit",
        "edit:edit",
        "Change trackers, web seeds or the comment of torrent files.",
        ("film.torrent --add-tracker https://tracker.example/announce", "*.torrent --replace-tracker http: https:"),
    ),
    Command(
        "tracker",
        "tracker:tracker",
        "Tell peers of each other, over HTTP and UDP.",
        ("", "--listen 127.0.0.1 --http-port 6969 --no-udp"),
    ),
    Command("scrape", "scrape:scrape", "Ask trackers how large swarms are.", ("film.torrent",)),
    Command("demo", "demo:demo", "Download from a swarm on this machine, to see it work.", ("",)),
    Command("dht", "dht:dht", "Look into the distributed hash table, store in it, be part of it."),
    Command("lab", "lab:lab", "Take single steps of the protocol, each on its own."),
)

_HELP = """BitTorrent from the command line.

Every command also takes --config FILE and --debug (show the traceback of an
error). Every flag can also be set in the environment (BITTERN_DOWN_LIMIT for
--down-limit) and in config.toml."""


_EXAMPLES = ("bittern get film.torrent -d films", "bittern create folder", "bittern get --help")


def build_app(config: Path, *, config_must_exist: bool = False) -> "App":
    """The whole command line, no command loaded yet.

    Args:
        config: config.toml.
        config_must_exist: whether it is an error when that is not there.
    """
    from cyclopts import App, Parameter

    from .config import from_environment, from_file
    from .output import shown_examples, warn

    app = App(
        name="bittern",
        help=_HELP,
        help_format="plaintext",
        help_epilogue=shown_examples(_EXAMPLES),
        version=f"bittern {__version__}",
        default_parameter=Parameter(negative=(), show_default=False),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # `main` has the exit code and the words for it
    )
    app.config = (from_environment(os.environ, app, warn), from_file(config, app, must_exist=config_must_exist))
    for place, command in enumerate(COMMANDS):
        lines = [f"bittern {command.name} {example}".rstrip() for example in command.examples]
        more = {"help_epilogue": shown_examples(lines)} if lines else {}
        target = f"bittern.cli.commands.{command.target}"
        app.command(target, name=command.name, help=command.summary, sort_key=place, **more)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the process's exit status is returned, never raised.

    Args:
        argv: the words after the program's name; None for those of the process.
    """
    from .streams import prepare, writing

    prepare()
    words, options = _globals(sys.argv[1:] if argv is None else argv)
    words = understood(words)
    try:
        code = _run(words, options)
        with writing():
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the boundary: everything becomes a line and a code
        if options.debug and not isinstance(error, BrokenPipeError):
            import traceback

            traceback.print_exc()
        code = _report(error)
    return _close(code)


class _Globals(NamedTuple):
    debug: bool
    config: str | None


def _globals(argv: Sequence[str]) -> tuple[list[str], _Globals]:
    """Take out the flags that belong to no command; words after `--` are left alone."""
    words, debug, config = [], os.environ.get("BITTERN_DEBUG", "") not in {"", "0"}, None
    rest = iter(argv)
    for word in rest:
        if word == "--debug":
            debug = True
        elif word == "--config":
            config = next(rest, "")
        elif word.startswith("--config="):
            config = word.removeprefix("--config=")
        else:
            words.append(word)
            if word == "--":
                break
    return [*words, *rest], _Globals(debug, config)


def _run(words: list[str], options: _Globals) -> int:
    if words == ["--version"]:
        print(f"bittern {__version__}")  # noqa: T201 - without loading anything
        return ExitCode.OK
    from cyclopts import CycloptsError

    from .config import config_path
    from .failures import UsageError

    if options.config == "":
        raise UsageError("--config: needs the name of a file")
    named = options.config or os.environ.get("BITTERN_CONFIG")
    app = build_app(Path(named) if named else config_path(os.environ), config_must_exist=bool(named))
    try:
        result = app(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        command = " ".join(["bittern", *(error.command_chain or ())])
        raise UsageError(f"{_said(error, words, app)} See `{command} --help`") from error
    return result if isinstance(result, int) else ExitCode.OK


def _said(error: "CycloptsError", words: Sequence[str], app: "App") -> str:
    """What is wrong with the command line, as a sentence."""
    from cyclopts import CoercionError, MissingArgumentError, UnknownCommandError, UnusedCliTokensError

    if isinstance(error, UnknownCommandError) and not error.command_chain and (meant := meant_by(words)):
        return meant

    text = str(error).strip()
    if (
        isinstance(error, CoercionError)
        and error.token is not None
        and error.token.source not in ("", "cli", "environment")
    ):
        source = error.token.source  # a file, which converters of our own cannot name
        text = text if source in text else f"{source}: {text}"
    if isinstance(error, MissingArgumentError) and (what := _help_of(error, app)):
        text = f"{text.removesuffix('.')}: {what}"
    if isinstance(error, UnusedCliTokensError):
        text = f"Not expected here: {' '.join(error.unused_tokens or ())} (a name with spaces needs quotes)"
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _help_of(error: "MissingArgumentError", app: "App") -> str | None:
    """What the help page says of the argument that is missing."""
    for name in error.command_chain or ():
        app = app[name]
    missing = error.argument.name if error.argument else ""
    arguments = app.assemble_argument_collection(parse_docstring=True)
    return next((each.parameter.help for each in arguments if each.name == missing), None)


def _report(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.OTHER
    from .failures import failure

    found = failure(error)
    if found.line:
        with contextlib.suppress(OSError):  # when nobody listens any more, the exit code still tells
            print(found.line, file=sys.stderr)  # noqa: T201 - output.py is not loaded yet
    return found.code


def _close(code: int) -> int:
    """Leave stdout in a state in which the interpreter's own last flush cannot fail."""
    from .streams import writing

    try:
        with writing():
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or _report(error)
    return code
