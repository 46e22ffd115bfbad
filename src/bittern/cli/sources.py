"""What a SOURCE on the command line means: a .torrent file, a magnet link or an info hash."""

import re
from pathlib import Path

from bittern.base.errors import BitternError
from bittern.codec.magnet import Magnet, magnet_of_hash
from bittern.codec.metainfo import Metainfo

from .failures import UsageError

_URL = re.compile(r"https?://", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9a-f]{24,}", re.IGNORECASE)


def is_remote(text: str) -> bool:
    """Whether what is in the torrent that `text` names can only be found out over the network."""
    return text[:7].lower() == "magnet:" or bool(_URL.match(text)) or _bare(text) is not None


def read_source(text: str) -> Metainfo | Magnet:
    """The torrent or magnet link that `text` names; nothing is fetched.

    A file of that name goes before an info hash.

    Raises:
        UsageError: a URL, a folder, or an info hash with too many or too few digits.
        BencodeError, MetainfoError, MagnetError: it is invalid.
        OSError: the file can not be read.
    """
    if text[:7].lower() == "magnet:":
        return Magnet.parse(text)
    if _URL.match(text):
        raise UsageError(
            f"{text}: this command reads local files; download it first, with `bittern get URL --metadata-only`"
        )
    return _bare(text) or read_torrent(Path(text))


def check_source(text: str) -> None:
    """Raise UsageError where `text` names nothing that could be a torrent, but a person may well think so."""
    if is_remote(text):
        return
    if Path(text).is_dir():
        raise UsageError(f"{text} is a folder: name a .torrent file; `bittern create` makes one of a folder")
    if _DIGITS.fullmatch(text) and not Path(text).exists():
        raise UsageError(f"{text}: an info hash has 40 or 64 hexadecimal digits, this has {len(text)}")


def _bare(text: str) -> Magnet | None:
    link = magnet_of_hash(text)
    return link if link is not None and not Path(text).exists() else None


def read_torrent(path: Path) -> Metainfo:
    """Read a .torrent file.

    Raises:
        UsageError: it is a folder, or an info hash with too many or too few digits.
        BencodeError, MetainfoError: it is invalid; the error's note names the file.
        OSError: it can not be read.
    """
    check_source(str(path))
    try:
        return Metainfo.load(path)
    except BitternError as error:
        error.add_note(str(path))
        raise
