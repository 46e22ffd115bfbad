"""A bencoded value as JSON."""

import json
from typing import Any

from bittern.base.errors import BencodeError
from bittern.codec.bencode import Value, decode_prefix


def bencode_to_json(data: bytes) -> str:
    r"""The bencoded value as JSON on one line, without spaces, keys in the order in which they came.

    Bytes that are not UTF-8 appear as `\xff`; all that is not printable ASCII is escaped.

    Raises:
        BencodeError: not bencode, or more than one value.
    """
    # Lenient, because a dictionary is shown as it is; what follows it would be lost silently.
    value, end = decode_prefix(data, strict=False)
    if end != len(data):
        raise BencodeError("bytes after the value", end)
    text = json.dumps(_plain(value), separators=(",", ":"))
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON leaves bare


def _plain(value: Value) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key.decode(errors="backslashreplace"): _plain(item) for key, item in value.items()}
    return value
