"""What a SOURCE on the command line means: a .torrent file, a magnet link or an info hash."""

import re
from pathlib import Path

from bittern.base.errors import BitternError
from bittern.codec.magnet import Magnet, magnet_of_hash
from bittern.codec.metainfo import Metainfo

from .failures import UsageError

_URL = re.compile(r"https?://", re.IGNORECASE)


def is_remote(text: str) -> bool:
    """Whether what is in the torrent that `text` names can only be found out over the network."""
    return text[:7].lower() == "magnet:" or bool(_URL.match(text)) or _bare(text) is not None


def read_source(text: str) -> Metainfo | Magnet:
    """The torrent or magnet link that `text` names; nothing is fetched.

    A file of that name goes before an info hash.

    Raises:
        UsageError: a URL.
        BencodeError, MetainfoError, MagnetError: it is invalid.
        OSError: the file can not be read.
    """
    if text[:7].lower() == "magnet:":
        return Magnet.parse(text)
    if _URL.match(text):
        raise UsageError(f"{text}: this command reads local files; download it first, or use `bittern get`")
    return _bare(text) or read_torrent(Path(text))


def _bare(text: str) -> Magnet | None:
    link = magnet_of_hash(text)
    return link if link is not None and not Path(text).exists() else None


def read_torrent(path: Path) -> Metainfo:
    """Read a .torrent file.

    Raises:
        BencodeError, MetainfoError: it is invalid; the error's note names the file.
        OSError: it can not be read.
    """
    try:
        return Metainfo.load(path)
    except BitternError as error:
        error.add_note(str(path))
        raise
