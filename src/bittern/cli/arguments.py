"""Types of command-line arguments that several commands share."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter, Token

from bittern.codec.text import clean_url

from .failures import UsageError
from .output import parse_size

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)


def _size(hint: Any, tokens: Sequence[Token]) -> int:
    del hint
    return parse_size(tokens[0].value)


Size = Annotated[int, Parameter(converter=_size, accepts_keys=False, n_tokens=1)]
"""Bytes, written `500k`, `1.5M`, `2G` or plain (powers of 1024)."""

Rate = Size
"""Bytes a second, written like a `Size`."""


def _positive(hint: Any, value: int | None) -> None:
    del hint
    if value is not None and value < 1:
        raise ValueError("Must be at least 1.")


Count = Annotated[int, Parameter(validator=_positive)]
"""A number of at least 1."""

Json = Annotated[bool, Parameter(name="--json")]
"""Whether to print one JSON document instead of text."""


def group(name: str, summary: str) -> App:
    """An app for a command that has commands of its own; add them with `@app.command`."""
    return App(name=name, help=summary, help_format="plaintext", result_action="return_value")


def checked_url(text: str) -> str:
    """`text` if it is a URL with a host.

    Raises:
        UsageError: it is not.
    """
    url = clean_url(text)
    if not url or not _URL.match(url):
        raise UsageError(f"{text}: not a URL; write one like https://example.org/announce")
    return url


def tracker_tiers(given: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Tiers from repeated `--tracker` flags: each is a tier, whose URLs commas join."""
    return tuple(tuple(checked_url(url) for url in tier.split(",") if url) for tier in given)
