"""What a SOURCE on the command line means: a .torrent file, a magnet link or an info hash."""

import re
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from bittern.base.errors import BitternError
from bittern.codec.magnet import Magnet, magnet_of_hash
from bittern.codec.metainfo import Metainfo

from .failures import MissingFileError, UsageError
from .mistaken import is_there

_URL = re.compile(r"https?://", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9a-f]{24,}", re.IGNORECASE)
_LINK = re.compile(r"urn:bt[im]h:|^mag\w*:", re.IGNORECASE)
_OTHER_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:[0-9]+)?/\S", re.IGNORECASE)


def is_remote(text: str) -> bool:
    """Whether what is in the torrent that `text` names can only be found out over the network."""
    return text[:7].lower() == "magnet:" or bool(_URL.match(text)) or _bare(text) is not None


def read_source(text: str) -> Metainfo | Magnet:
    """The torrent or magnet link that `text` names; nothing is fetched.

    A file of that name goes before an info hash.

    Raises:
        UsageError, MissingFileError: a URL, or as `check_source`.
        BencodeError, MetainfoError, MagnetError: it is invalid.
        OSError: the file cannot be read.
    """
    if text[:7].lower() == "magnet:":
        return Magnet.parse(text)
    if _URL.match(text):
        raise UsageError(
            f"{text}: this command reads local files; download it first, with `bittern get URL --metadata-only`"
        )
    return _bare(text) or read_torrent(Path(text))


def check_source(text: str) -> None:
    """Say what is wrong with a name that a person may well take for a torrent's.

    Raises:
        UsageError: it can name no torrent: a folder, a URL of another kind, half an info hash.
        MissingFileError: there is no such file, but one of a similar name.
    """
    if is_remote(text):
        return
    path = Path(text)
    there = is_there(text)
    if there and path.is_dir():
        raise UsageError(f"{text} is a folder: name a .torrent file; `bittern create` makes one of a folder")
    if there:
        return
    if _DIGITS.fullmatch(text):
        raise UsageError(f"{text}: an info hash has 40 or 64 hexadecimal digits, this has {len(text)}")
    if _LINK.search(text):
        raise UsageError(f"{text}: a magnet link begins with magnet:?xt=urn:btih: or magnet:?xt=urn:btmh:")
    if text[:7].lower() == "file://":
        raise UsageError(f"{text}: name the file by its path: {unquote(text[7:])}")
    if _OTHER_URL.match(text):
        raise UsageError(f"{text}: only http and https URLs are fetched; save the .torrent file, then name that")
    if _HOST.match(text) and not is_there(str(path.parents[-2])):
        raise UsageError(f"{text}: no such file; a URL begins with https://")
    _suggest(path)


def _suggest(path: Path) -> None:
    """Raise MissingFileError where a .torrent file beside it has a name much like that of a file that is not there."""
    try:
        beside = {entry.stem.casefold(): entry for entry in path.parent.iterdir() if entry.suffix == ".torrent"}
    except OSError:
        return  # whoever opens it says why
    if near := get_close_matches(path.stem.casefold(), beside, 1, 0.7):
        raise MissingFileError(f"{path}: no such file; did you mean {beside[near[0]]}?")


def _bare(text: str) -> Magnet | None:
    link = magnet_of_hash(text)
    return link if link is not None and not is_there(text) else None


def read_torrent(path: Path) -> Metainfo:
    """Read a .torrent file.

    Raises:
        UsageError, MissingFileError: as `check_source`.
        BencodeError, MetainfoError: it is invalid; the error's note names the file.
        OSError: it cannot be read.
    """
    check_source(str(path))
    try:
        return Metainfo.load(path)
    except BitternError as error:
        error.add_note(str(path))
        raise
