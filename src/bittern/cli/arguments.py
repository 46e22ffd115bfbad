"""Types of command-line arguments that several commands share."""

import errno
import os
import re
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter, Token

from bittern.base.errors import ProxyError
from bittern.codec.info import Info
from bittern.codec.text import clean_url
from bittern.wire.proxy.server import ProxyServer
from bittern.wire.webseed import WebUrl

from .failures import UsageError
from .output import counted, parse_size, printable, shown_examples

_NODE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[!-9;-~]{1,253})):(?P<port>[0-9]{1,5})")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)
_NO_PORT = re.compile(r"udp://(?:\[[^\]]*\]|[^:/?]*)(?::?[/?]|:?$)", re.IGNORECASE)


def _size(hint: Any, tokens: Sequence[Token]) -> int:
    del hint
    return parse_size(tokens[0].value)


Size = Annotated[int, Parameter(converter=_size, accepts_keys=False, n_tokens=1, metavar="SIZE")]
"""Bytes, written `500k`, `1.5M`, `2G` or plain (powers of 1024)."""

Rate = Size
"""Bytes a second, written like a `Size`."""


def _positive(hint: Any, value: int | None) -> None:
    del hint
    if value is not None and value < 1:
        raise ValueError("Must be at least 1.")


Count = Annotated[int, Parameter(validator=_positive, metavar="N")]
"""A number of at least 1."""


def _port(hint: Any, value: int | None) -> None:
    del hint
    if value is not None and not 0 <= value <= 65535:
        raise ValueError("Must be from 0 to 65535.")


Port = Annotated[int, Parameter(validator=_port, metavar="PORT")]
"""A port; 0 for a free one."""


def _lasting(hint: Any, value: float | None) -> None:
    del hint
    if value is not None and not 0 < value < inf:
        raise ValueError("Must be more than 0.")


Seconds = Annotated[float, Parameter(validator=_lasting, metavar="SECONDS")]
"""A time of more than 0."""

Text = Annotated[str, Parameter(metavar="TEXT")]
Url = Annotated[str, Parameter(metavar="URL")]
Urls = Annotated[tuple[str, ...], Parameter(metavar="URL...")]
Addresses = Annotated[tuple[str, ...], Parameter(metavar="ADDRESS...")]
Nodes = Annotated[tuple[str, ...], Parameter(metavar="HOST:PORT...")]

Json = Annotated[bool, Parameter(name="--json")]
"""Whether to print one JSON document instead of text."""


def group(name: str, summary: str, examples: Sequence[str]) -> App:
    """An app for a command that has commands of its own; add them with `@app.command`, then call `finish`.

    Args:
        name: as typed.
        summary: its line in `bittern --help`.
        examples: at the end of its help page, without `bittern NAME`.
    """
    shown = shown_examples([f"bittern {name} {example}" for example in examples])
    return App(name=name, help=summary, help_format="plaintext", help_epilogue=shown, result_action="return_value")


def finish(app: App) -> None:
    """Let the help page of an app have its commands in the order in which they were added, and itself its examples."""
    for place, command in enumerate(app.subapps):
        command.sort_key, command.help_epilogue = place, ""


def checked_url(text: str) -> str:
    """`text` if it is a URL with a host, as a tracker's is.

    Raises:
        UsageError: it is not.
    """
    url = clean_url(text)
    if not url or not _URL.match(url):
        raise UsageError(f"{text}: not a URL; write one like https://example.org/announce")
    if _NO_PORT.match(url):
        raise UsageError(f"{text}: UDP has no usual port; write it too, as in udp://example.org:6969/announce")
    return url


def checked_web_seed(text: str) -> str:
    """`text` if it can be a web seed's URL.

    Raises:
        UsageError: it cannot.
    """
    return _of_the_web(text, "https://example.org/files/")


def checked_torrent_url(text: str) -> str:
    """`text` if a .torrent file can be fetched from there.

    Raises:
        UsageError: it cannot.
    """
    return _of_the_web(text, "https://example.org/album.torrent")


def check_peers(flag: str, given: Sequence[str]) -> None:
    """Raise UsageError where one of the words that `flag` was given is not `HOST:PORT`."""
    from bittern.session.sources import is_peer

    for text in given:
        if not is_peer(text):
            raise UsageError(f"{flag} {text}: write HOST:PORT, an IPv6 address [ADDRESS]:PORT")


def check_folder(flag: str, path: Path) -> None:
    """Find out before anything is fetched that nothing can be saved there.

    Raises:
        UsageError: no folder can be at `path`.
        OSError: nothing is there yet, and nothing can be written there.
    """
    there = next((place for place in (path, *path.parents) if place.exists()), None)
    if there is None:
        return
    if not there.is_dir():
        raise UsageError(f"{flag} {path}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK) and (there != path or not any(path.iterdir())):
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, "read-only file system; choose another folder", str(path))
        raise PermissionError(errno.EACCES, "nothing can be written there", str(path))


def check_content(info: Info, path: Path) -> None:
    """Say so where `path` can be neither a torrent's content nor the folder that holds it.

    Raises:
        UsageError: a file stands for a folder of files.
        OSError: there is nothing.
    """
    path.stat()
    if info.multi_file and path.is_file():
        files = counted(sum(not file.pad for file in info.files), "file")
        raise UsageError(f"{path} is a file: name the folder {printable(info.name)} that holds the torrent's {files}")


def checked_node(text: str) -> tuple[str, int]:
    """The host and the port of `HOST:PORT`.

    Raises:
        UsageError: it is not written so.
    """
    match = _NODE.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) < 65536:
        raise UsageError(f"{text}: write a node as HOST:PORT, with an IPv6 address as [ADDRESS]:PORT")
    return match["six"] or match["host"], int(match["port"])


def tracker_tiers(given: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Tiers from repeated `--tracker` flags: each is a tier, whose URLs commas join."""
    return tuple(tuple(checked_url(url) for url in tier.split(",") if url) for tier in given)


def check_proxy(url: str | None) -> None:
    """Raise UsageError where that is no proxy."""
    if url is not None:
        try:
            ProxyServer.parse(url)
        except ProxyError as error:
            raise UsageError(f"--proxy: {error}") from None


def _of_the_web(text: str, example: str) -> str:
    url = clean_url(text)
    if not url or WebUrl.parse(url) is None:
        raise UsageError(f"{text}: not an http or https URL; write one like {example}")
    return url
