"""What a command line means that begins with no command."""

import re
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

_LINK = re.compile(r"magnet:|https?://|[0-9a-f]{40}$|[0-9a-f]{64}$", re.IGNORECASE)
_VERSION = {"version", "-V", "-v"}
_MEANT = {
    "get": {"add", "download", "fetch", "leech", "resume", "start"},
    "seed": {"serve", "share", "upload"},
    "info": {"dump", "print", "show"},
    "files": {"list", "ls"},
    "magnet": {"link"},
    "create": {"build", "make", "mktorrent", "new"},
    "verify": {"check", "hash", "recheck", "test"},
    "edit": {"change", "set"},
}


def understood(words: Sequence[str]) -> list[str]:
    """The command line as it would have been written by the book: `help get` is `get --help`, `-V` is `--version`."""
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    if len(words) == 1 and words[0] in _VERSION:
        return ["--version"]
    return list(words)


def meant_by(words: Sequence[str]) -> str | None:
    """What to write instead of a command line whose first word is no command; None when nothing tells.

    Args:
        words: all of them, the first of which is no command.
    """
    first = words[0]
    if first.startswith("-"):
        return f"{first}: flags stand behind the command, as in `bittern get SOURCE {first}`."
    if _LINK.match(first) or first.endswith(".torrent"):
        return f"{first}: name a command first, as in `bittern get {quote(first)}`."
    if is_there(first):
        return f"{first}: name a command first; `bittern create {quote(first)}` makes a torrent of it."
    command = next((name for name, others in _MEANT.items() if first.lower() in others), None)
    return f"{first}: there is no such command; did you mean `bittern {command}`?" if command else None


def is_there(text: str) -> bool:
    """Whether `text` names something that is there; a whole link that was mistyped is too long for a name."""
    try:
        return Path(text).exists()
    except OSError:
        return False
