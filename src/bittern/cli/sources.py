"""What a SOURCE on the command line means: a .torrent file, a magnet link or an info hash."""

import re
from pathlib import Path

from bittern.base.errors import BitternError
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo

from .failures import UsageError

_URL = re.compile(r"https?://", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)


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
    if _HASH.fullmatch(text) and not Path(text).exists():
        return magnet_of_hash(text)
    return read_torrent(Path(text))


def magnet_of_hash(digits: str) -> Magnet:
    """The barest magnet link: 40 hexadecimal digits are a v1 info hash, 64 a v2 one."""
    if len(digits) == 64:
        return Magnet(info_hash_v2=InfoHashV2.from_hex(digits))
    return Magnet(info_hash_v1=InfoHashV1.from_hex(digits))


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
