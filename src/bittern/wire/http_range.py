"""HTTP/1.1 as far as it takes to fetch ranges of files (RFC 9110, 9112): requests, heads of answers, what they mean."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import NamedTuple

from bittern.base.errors import Offence, RemoteProtocolError

from .urls import escaped
from .webseed import FileRange, WebUrl

MAX_HEAD = 1 << 16
"""Bytes of an answer's head; more is an offence."""

MOST_RETRY_SECONDS = 3600
"""A server may ask for this much patience."""

_MAX_FIELDS = 200
_DIGITS = 18
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429)


def get_request(url: WebUrl, part: FileRange, user_agent: str) -> bytes:
    """The request for a part of a file. A whole file is asked for without a range: servers without any know that."""
    lines = [
        f"GET {url.target} HTTP/1.1",
        f"Host: {url.origin}",
        *([f"User-Agent: {user_agent}"] if user_agent else []),
        "Accept-Encoding: identity",
    ]
    if not part.whole:
        lines.append(f"Range: bytes={part.first}-{part.first + part.length - 1}")
    if url.user is not None:
        lines.append(f"Authorization: Basic {b64encode(url.user).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer.

    Attributes:
        status: three digits.
        fields: by lower-case names; those that came more than once are joined by commas.
        keeps: whether the server keeps the connection open behind it.
    """

    status: int
    fields: Mapping[str, str]
    keeps: bool

    @classmethod
    def parse(cls, raw: bytes | bytearray) -> "Head":
        """Read a head, the empty line at its end included.

        Raises:
            RemoteProtocolError: BAD_HTTP.
        """
        first, *lines = bytes(raw).decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if version not in ("HTTP/1.1", "HTTP/1.0") or len(status) < 3 or not _is_number(status) or rest[3:4].strip():
            raise RemoteProtocolError(Offence.BAD_HTTP, f"{first[:80]!r}")
        fields: dict[str, str] = {}
        for line in lines:
            if not line:
                continue
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or name != name.strip() or len(fields) >= _MAX_FIELDS:
                raise RemoteProtocolError(Offence.BAD_HTTP, f"{line[:80]!r}")
            value = value.strip()
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        options = {word.strip().lower() for word in fields.get("connection", "").split(",")}
        keeps = "close" not in options and (version == "HTTP/1.1" or "keep-alive" in options)
        return cls(int(status), fields, keeps)

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks.

        Raises:
            RemoteProtocolError: BAD_HTTP, it comes in a way that is not known here.
        """
        coding = self.fields.get("transfer-encoding", "").lower()
        if coding not in ("", "identity", "chunked"):
            raise RemoteProtocolError(Offence.BAD_HTTP, f"transfer coding {coding[:40]!r}")
        return coding == "chunked"

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced; None where they are not.

        Raises:
            RemoteProtocolError: BAD_HTTP, it is no number.
        """
        text = self.fields.get("content-length")
        if text is None or self.chunked:
            return None
        if not _is_number(text):
            raise RemoteProtocolError(Offence.BAD_HTTP, f"content length {text[:40]!r}")
        return int(text)


class Body(NamedTuple):
    """Bytes of the file follow.

    Attributes:
        first: the first of them, in the file.
        length: how many.
    """

    first: int
    length: int


class Moved(NamedTuple):
    """The file is elsewhere.

    Attributes:
        location: URL, or a part of one, ASCII.
    """

    location: str


@unique
class Why(Enum):
    """Why a server does not give what it was asked for."""

    ABSENT = "does not have the file"
    OTHER = "has another file there"
    BUSY = "is not ready to give it"


class Refused(NamedTuple):
    """Nothing of the file follows.

    Attributes:
        why: in which way.
        status: of the answer.
        retry_seconds: when the server asks to be tried again, from now, or None.
    """

    why: Why
    status: int
    retry_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.why.value} (HTTP status {self.status})"


Answer = Body | Moved | Refused


def answer_to(part: FileRange, head: Head) -> Answer:
    """What an answer to the request for `part` means.

    Raises:
        RemoteProtocolError: BAD_HTTP or WRONG_RANGE: it can be no true answer to that request.
    """
    status, fields = head.status, head.fields
    if status in (200, 206):
        _ = head.chunked  # which refuses other codings of the transfer
        return _whole(part, head) if status == 200 else _partial(part, head)
    if status in _REDIRECTS and fields.get("location"):
        return Moved(escaped(fields["location"].encode("latin-1")))  # the bytes that the server sent
    if status == 416:
        return Refused(Why.OTHER, status)
    if status in _BUSY or status >= 500:
        retry = fields.get("retry-after", "")
        seconds = float(min(int(retry), MOST_RETRY_SECONDS)) if _is_number(retry) else None
        return Refused(Why.BUSY, status, seconds)
    if 400 <= status < 500:
        return Refused(Why.ABSENT, status)
    raise RemoteProtocolError(Offence.BAD_HTTP, f"status {status} to a request for a file")


def _whole(part: FileRange, head: Head) -> Answer:
    """All of the file, also where a part was asked for: some servers know no ranges."""
    length = head.length
    _check_coding(head, uncoded=length == part.size)
    if length is not None and length != part.size:
        return Refused(Why.OTHER, head.status)
    return Body(0, part.size)


def _partial(part: FileRange, head: Head) -> Answer:
    unit, _, said = head.fields.get("content-range", "").partition(" ")
    span, _, total = said.strip().partition("/")
    first, _, last = span.partition("-")
    if unit.lower() != "bytes" or not _is_number(first) or not _is_number(last):
        raise RemoteProtocolError(Offence.WRONG_RANGE, f"content range {head.fields.get('content-range', '')[:60]!r}")
    ours = _is_number(total) and int(total) == part.size
    _check_coding(head, uncoded=ours)
    if total != "*" and not ours:
        return Refused(Why.OTHER, head.status)
    if (int(first), int(last)) != (part.first, part.first + part.length - 1):
        asked = f"{part.first}-{part.first + part.length - 1}"
        raise RemoteProtocolError(Offence.WRONG_RANGE, f"bytes {span[:60]} instead of {asked}")
    if head.length not in (None, part.length):
        raise RemoteProtocolError(Offence.WRONG_RANGE, f"{head.length} bytes instead of {part.length}")
    return Body(part.first, part.length)


def _check_coding(head: Head, *, uncoded: bool) -> None:
    """Refuse what a server has packed on its own account, for we accept no coding.

    Of a file that is packed itself, such as a .tar.gz, many say so, too (Apache's AddEncoding): it has its own length.

    Args:
        head: of the answer.
        uncoded: whether all of the file is as long as it should be.
    """
    coding = head.fields.get("content-encoding", "identity").lower()
    if coding != "identity" and not uncoded:
        raise RemoteProtocolError(Offence.BAD_HTTP, f"content coding {coding[:40]!r}, which was not accepted")


def chunk_size(line: bytes) -> int:
    """The size in the line before a chunk, without its end.

    Raises:
        RemoteProtocolError: BAD_HTTP.
    """
    digits = line.partition(b";")[0].strip()
    if not 0 < len(digits) <= 15 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise RemoteProtocolError(Offence.BAD_HTTP, f"chunk size {line[:40]!r}")
    return int(digits, 16)


def _is_number(text: str, digits: int = _DIGITS) -> bool:
    return 0 < len(text) <= digits and text.isascii() and text.isdigit()
