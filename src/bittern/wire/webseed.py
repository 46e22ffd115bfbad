"""Web seeds (BEP 19): which URL, and which bytes behind it, hold which bytes of a torrent. No sockets."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

from bittern.codec.filemap import FileMap
from bittern.codec.info import Info

from .urls import ascii_url

_PORTS = {"http": 80, "https": 443}
_MOST = 8192


class Origin(NamedTuple):
    """Where a connection leads.

    Attributes:
        secure: whether it is TLS.
        host: a name in ASCII, or a numeric address without brackets.
        port: 1 to 65535.
    """

    secure: bool
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


class WebUrl(NamedTuple):
    """An http or https URL, ready to be asked for.

    Attributes:
        origin: the server.
        path: percent-encoded, begins with a slash.
        query: likewise, without the question mark.
        user: `name:password` as bytes, or None.
    """

    origin: Origin
    path: str
    query: str = ""
    user: bytes | None = None

    @classmethod
    def parse(cls, text: str) -> "WebUrl | None":
        """Read a URL; None where it is no http or https URL, or has an impossible host, port or length."""
        try:
            return _checked(cls, urlsplit(ascii_url(text.strip()))) if len(text) <= _MOST else None
        except ValueError:
            return None

    @property
    def target(self) -> str:
        """What a request line names."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{'https' if self.origin.secure else 'http'}://{self.origin}{self.target}"

    def below(self, names: Sequence[str]) -> "WebUrl":
        """The file called `names` below this folder."""
        tail = "/".join(quote(name, safe="") for name in names)
        return self._replace(path=f"{self.path.removesuffix('/')}/{tail}")

    def leads_to(self, location: str) -> "WebUrl | None":
        """Where a redirect to `location` leads; None where that cannot be asked for.

        What a user may do here is not told to another server.
        """
        try:
            url = WebUrl.parse(urljoin(str(self), location.strip()))
        except ValueError:
            return None
        if url is not None and url.user is None and url.origin == self.origin:
            return url._replace(user=self.user)
        return url


def _checked(kind: type[WebUrl], parts: SplitResult) -> WebUrl | None:
    secure = parts.scheme == "https"
    host, port = parts.hostname, parts.port
    if parts.scheme not in _PORTS or not host or port == 0:
        return None
    if not all(char.isalnum() or char in "-._:" for char in host):
        return None
    user = None
    if parts.username is not None:
        user = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
    origin = Origin(secure, host, port if port is not None else _PORTS[parts.scheme])
    return kind(origin, parts.path or "/", parts.query, user)


class FileRange(NamedTuple):
    """Neighbouring bytes of one file, and of the torrent.

    Attributes:
        file: its number in the torrent.
        first: the first byte, in the file.
        length: bytes, at least 1.
        offset: of the first byte in the torrent.
        size: bytes of the whole file.
        pad: whether the file is a pad, which no server has: zeros (BEP 47).
    """

    file: int
    first: int
    length: int
    offset: int
    size: int
    pad: bool

    @property
    def whole(self) -> bool:
        """Whether this is all of the file."""
        return self.length == self.size


class WebLayout:
    """The files of a torrent as a web server has them.

    Args:
        info: the torrent.
    """

    def __init__(self, info: Info) -> None:
        self._info = info
        self._map = FileMap(info.files)

    def url_of(self, seed: WebUrl, file: int) -> WebUrl:
        """Where `file` is on the web seed `seed`.

        BEP 19: the URL of a single file is the file's own, unless it ends in a slash; that of many files is the
        folder that holds the torrent's root folder.
        """
        info = self._info
        if info.multi_file:
            return seed.below((info.name, *info.files[file].path))
        return seed.below((info.name,)) if seed.path.endswith("/") else seed

    def ranges(self, offset: int, length: int) -> list[FileRange]:
        """The parts of files that make up `length` bytes at `offset` of the torrent, in order, pads included.

        Raises:
            LocalProtocolError: the bytes are not all inside the torrent.
        """
        files = self._info.files
        return [
            FileRange(number, first, count, files[number].offset + first, files[number].length, pad)
            for number, first, count, pad in self._map.spans(offset, length)
        ]

    def ranges_of(self, pieces: range) -> list[FileRange]:
        """The parts of files that make up neighbouring pieces; those of one file are joined over piece borders.

        The gaps behind files of version 2, which no piece holds, are left out.
        """
        geometry = self._info.geometry
        if pieces and not geometry.short:
            offset, last = geometry.offset(pieces[0]), pieces[-1]
            return self.ranges(offset, geometry.offset(last) + geometry.piece_length(last) - offset)
        found: list[FileRange] = []
        for piece in pieces:
            for part in self.ranges(geometry.offset(piece), geometry.piece_length(piece)):
                before = found[-1] if found else None
                if before is not None and before.file == part.file and before.first + before.length == part.first:
                    found[-1] = before._replace(length=before.length + part.length)
                else:
                    found.append(part)
        return found

    def pieces_of(self, file: int) -> range:
        """The pieces that hold bytes of `file`."""
        return self._map.pieces_of(file, self._info.geometry)
