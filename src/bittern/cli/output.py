"""What reaches the terminal: cleaned remote text, sizes and rates, JSON documents, messages.

Results go to stdout, everything said about them to stderr. Text that came from a torrent, a tracker or a
peer passes `printable` before it is printed; `print_json` escapes by itself.
"""

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from .streams import writing

_UNITS = "KMGTPE"
_SIZE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([kmgtpe]?)(?:i?b)?(?:/s)?", re.IGNORECASE | re.ASCII)
_JOINERS = "\u200c\u200d"
_REPLACEMENT = "\ufffd"
_BEYOND_ASCII = re.compile(r"[^\x20-\x7e]")


def printable(text: str, limit: int = 255) -> str:
    """Remote text made safe for a terminal: one line, no escape sequences, no bidi marks.

    Every control, format, surrogate, unassigned or line-separating character becomes U+FFFD, so what is
    shown has as many characters as the original; other spaces become plain ones. The joiners that Persian
    and emoji need stay. `bittern files` of a hostile torrent cannot move the cursor or fake a line.

    Args:
        text: what came from outside.
        limit: characters to show at most; a longer text ends in an ellipsis.
    """
    if len(text) > limit:
        text = text[: max(limit - 1, 0)] + "\u2026"
    if not _BEYOND_ASCII.search(text):
        return text
    return "".join(character if character.isprintable() else _substitute(character) for character in text)


def _substitute(character: str) -> str:
    if character in _JOINERS:
        return character
    # The spaces of other scripts are letters of a name; line and paragraph separators are not.
    return (
        " " if character.isspace() and character not in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029" else _REPLACEMENT
    )


def format_size(count: int) -> str:
    """`count` bytes for people, in powers of 1024: `0 B`, `16.0 KiB`, `4.2 GiB`."""
    if count < 1024:
        return f"{count} B"
    power = (count.bit_length() - 1) // 10
    if count / 1024**power >= 1023.95:  # would print as 1024.0
        power += 1
    power = min(power, len(_UNITS))
    return f"{count / 1024**power:.1f} {_UNITS[power - 1]}iB"


def format_rate(bytes_per_second: float) -> str:
    """A rate for people: `1.5 MiB/s`."""
    return format_size(max(0, round(bytes_per_second))) + "/s"


def shown_examples(commands: Sequence[str]) -> str:
    """Examples for the end of a help page: blank lines keep each on a line of its own."""
    return "\n\n".join(["Examples:" if len(commands) > 1 else "Example:", *(f"  {line}" for line in commands)])


def counted(count: int, word: str) -> str:
    """So many of what `word` names: `1 peer`, `2 peers`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def format_duration(seconds: float) -> str:
    """A time for people: `42 s`, `3:07`, `2:03:07`, `5 d 2 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{hours // 24} d {hours % 24} h"


def parse_size(text: str) -> int:
    """Bytes from `500k`, `1.5M`, `2 GiB` or a plain number; units are powers of 1024, in any case.

    Raises:
        ValueError: it is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{printable(text, 40)!r} is no size: write a number and k, M or G, as in 500k or 1.5M")
    number, unit = match.groups()
    return round(float(number) * 1024 ** (1 + _UNITS.index(unit.upper()))) if unit else round(float(number))


def print_json(document: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document on stdout; `indent=None` puts it on one line, for streams of events."""
    import json

    # DEL is the one control that JSON allows bare; inside a document it can only stand in a string.
    with writing():
        print(json.dumps(document, indent=indent).replace("\x7f", "\\u007f"), flush=indent is None)


def say(line: str = "") -> None:
    """Print a line of the result on stdout."""
    with writing():
        print(line)


def note(line: str) -> None:
    """Print a message about the work on stderr."""
    print(line, file=sys.stderr)


def warn(line: str) -> None:
    """Print a warning on stderr."""
    note(f"bittern: warning: {line}")


def colour_wanted(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user has not asked for plain text (NO_COLOR, TERM=dumb)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
