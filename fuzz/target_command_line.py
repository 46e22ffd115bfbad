# Invariant: whatever the words of the command line, the environment and config.toml are, either a command begins or
# the program ends with a documented exit code and one line that says what is wrong; the file stays as it was.
"""Fuzz target: the command line up to where a command begins, with flags from the environment and config.toml."""

import io
import os
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Final
from unittest.mock import patch

from cyclopts import App

from bittern.cli import main as program
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import failure
from bittern.cli.mistaken import understood
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit

_WORD, _FILE, _ENVIRONMENT = range(3)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bittern-fuzz-")


def _only_parse(app: App, words: list[str], **_: object) -> int:
    app.parse_args(words, exit_on_error=False, print_error=False)
    return 0


def check(data: bytes) -> bool:
    """Acts are words of the command line, lines of the file, and variables as NAME=VALUE."""
    words: list[str] = []
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"}
    text = b""
    for kind, said in acts(data):
        if kind % 3 == _WORD:
            words.append(os.fsdecode(said.replace(b"\0", b"")))
        elif kind % 3 == _FILE:
            text += said + b"\n"
        else:
            name, _, value = said.partition(b"=")
            environ["BITTERN_" + name.decode("ascii", "ignore").replace("\0", "")] = os.fsdecode(
                value.replace(b"\0", b"")
            )
    path = Path(_folder().name) / "config.toml"
    path.write_bytes(text)
    said_out, said_err = io.StringIO(), io.StringIO()
    environ.setdefault("BITTERN_CONFIG", str(path))
    with (
        patch.dict(os.environ, environ, clear=True),
        patch.object(App, "__call__", _only_parse),
        redirect_stdout(said_out),
        redirect_stderr(said_err),
    ):
        error = _error(words)
    assert path.read_bytes() == text, "the file was written"
    if error is None:
        return True
    found = failure(error)
    assert found.code is not ExitCode.OTHER, f"nobody expected {type(error).__name__}: {error}"
    assert found.line.isprintable(), repr(found.line)
    assert len(found.line) > len("bittern: "), "an error without a word"
    return False


def _error(words: list[str]) -> BaseException | None:
    rest, options = program._globals(words)  # noqa: SLF001 - as `main` does it, which ends the process's streams
    try:
        program._run(understood(rest), options)  # noqa: SLF001 - likewise
    except BaseException as error:  # noqa: BLE001 - as the program itself does
        return error
    return None


def _line(*words: str, file: bytes = b"", environment: tuple[bytes, ...] = ()) -> bytes:
    said = [act(_WORD, word.encode()) for word in words] + [act(_ENVIRONMENT, each) for each in environment]
    return b"".join(said) + (act(_FILE, file) if file else b"")


_LINES: Final = tuple(
    line.split(" ")
    for line in """\
get a.torrent -d /tmp --down-limit 1.5M --port 7000 --peer 127.0.0.1:7001
get magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa --select-file 1-3,5 --priority 1=7 --no-dht --json
get x --encryption require --proxy socks5://a:b@h:1 --seed-ratio 1.5 --seed-time 3
seed a.torrent b --trust --up-limit=500k --max-peers 80
create x -o y --piece-size 16k --tracker http://a,udp://b:1 --private --node h:1
info a --json
files a
magnet a --bare
verify a b
edit a --comment c
scrape a
tracker --http-port 0 --interval 60
dht lookup aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
dht
lab decode 5:hello
lab download_piece -o x y 1
--help
get --help
--version
gte x
get --donw-limit 1M x
--config nowhere info x
-- get
""".splitlines()
)
_FILES: Final = (
    b'down-limit = "1M"\n[get]\nport = 7000\nno-dht = true\npeer = ["127.0.0.1:1"]',
    *(b"[gte]\nx=1", b"donw-limit=1", b"[get]\nport = true", b"port = 7000\n[get", b"\xff", b"get = 1"),
    *(b"[get.x]\ny=1", b"a.b=1", b'"" = 1', b"port = 1e400", b"port = [[1]]", b"peer = 1979-05-27"),
)
_CORPUS = (
    *(_line(*words) for words in _LINES),
    *(_line("get", "x", file=file) for file in _FILES),
    _line("get", "x", environment=(b"DOWN_LIMIT=1M", b"NO_DHT=maybe")),
    _line("get", "x", environment=(b"PEER=a:1 b:2", b"DONW_LIMIT=1")),
    _line("info", "x", environment=(b"JSON=1", b"DEBUG=1", b"CONFIG=/nonexistent/x")),
)

TARGET = Target(
    "command_line",
    corpus=_CORPUS,
    words=(
        *(
            b"--",
            b"-",
            b"=",
            b"--json",
            b"--port",
            b"-1",
            b"65536",
            b"1e9",
            b"nan",
            b"inf",
            b"1Q",
            b"0x10",
            b"1_0",
            b"'",
            b'"',
        ),
        *(
            b"[get]",
            b"[[get]]",
            b"= [",
            b"]",
            b"{",
            b"}",
            b"true",
            b"1979-05-27",
            b"\n",
            b'"""',
            b"\\u0000",
            b"\xff",
            b"\xc3\xbc",
        ),
        *(
            b"--config",
            b"--debug",
            b"--help",
            b"--version",
            b"get",
            b"lab",
            b"dht",
            b"down-limit",
            b"peer",
            b"\x1b[2J",
            b"\xe2\x80\xae",
        ),
    ),
    check=check,
    edits=(play_edit(_CORPUS),),
)
