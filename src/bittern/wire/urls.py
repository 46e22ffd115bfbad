"""URLs as people and servers write them, made into what a request may carry: ASCII, escaped where it must be."""

from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_MAY_STAND: Final = "%/:=&?~+!$,;'@()*[]#"


def escaped(url: str | bytes) -> str:
    """`url`, or a part of one, with percent signs for what may not stand in it; what is escaped already stays so."""
    return quote(url, safe=_MAY_STAND)


def ascii_host(host: str) -> str:
    """A name in the form that look-ups take (IDNA); numeric addresses as they are.

    Raises:
        ValueError: it can be no name.
    """
    return host if host.isascii() else host.encode("idna").decode("ascii")


def ascii_url(url: str) -> str:
    """`url` with its host in the form that look-ups take, and everything else escaped.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    host, number = parts.hostname or "", parts.port  # either may be none
    known = ascii_host(unquote(host)) if ":" not in host else host
    if known != host:
        if not all(character.isalnum() or character in "-._" for character in known):
            raise ValueError(f"no name of a host: {host[:80]!r}")
        user, at, _ = parts.netloc.rpartition("@")
        port = f":{number}" if number is not None else ""
        url = urlunsplit(parts._replace(netloc=user + at + known + port))
    return escaped(url)
