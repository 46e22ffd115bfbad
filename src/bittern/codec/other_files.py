"""What people have in place of a .torrent file: told by its first bytes."""

from typing import Final

_BEGINNINGS: Final = (
    (b"<", "a web page"),
    (b"magnet:", "a text with a magnet link"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"Rar!", "a rar archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"%PDF", "a PDF document"),
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def what_else(data: bytes) -> str | None:
    """What a file seems to be that does not begin as a torrent does, with its article; None when nothing tells.

    Args:
        data: the file, or its first few hundred bytes.
    """
    if not data:
        return "an empty file"
    if not data.strip(b"\0"):
        return "a file of nothing but zero bytes"
    text = data[:512].removeprefix(_BYTE_ORDER_MARK).lstrip()
    return next((what for start, what in _BEGINNINGS if text.startswith(start)), None)
