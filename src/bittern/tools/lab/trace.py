"""Every message on the wire as one line: its direction, its bytes in hex, its decoded fields.

The first of each kind is taken apart below its line: what each of its bytes means.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass

from bittern.base.errors import RemoteProtocolError
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.messages import Extended
from bittern.wire.ut_metadata import parse_metadata_message

from .dissect import aligned, dissect, shorten

_MOST_ITEMS = 8


class Trace:
    """Writes lines to `write`, or nowhere. All text of the remote is escaped to ASCII."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write
        self._seen: set[tuple[str, str]] = set()

    def sent(self, where: object, data: bytes | bytearray, meaning: object) -> None:
        """We sent `data` to `where`, and `meaning` is what it says."""
        if self._write:
            self._show(self._write, f"-> {where}", data, meaning)

    def received(self, where: object, data: bytes | bytearray, meaning: object) -> None:
        """`data` came from `where`, and `meaning` is what it says."""
        if self._write:
            self._show(self._write, f"<- {where}", data, meaning)

    def _show(self, write: Callable[[str], None], way: str, data: bytes | bytearray, meaning: object) -> None:
        kind = way[:2], _kind(meaning)
        parts = dissect(data, meaning) if kind not in self._seen else []
        self._seen.add(kind)
        write(f"{way}  {shorten(data)}  {describe(meaning)}")
        for line in aligned(parts):
            write(line)


SILENT = Trace()


def describe(thing: object) -> str:
    """What a message says, in ASCII: `Request(piece=0, begin=16384, length=16384)`."""
    if isinstance(thing, Extended):
        inner = _inside(thing)
        if inner is not None:
            return f"Extended(ext_id={thing.ext_id}, {describe(inner)})"
    if is_dataclass(thing):
        said = [(field.name, getattr(thing, field.name)) for field in fields(thing)]
        told = ", ".join(f"{name}={describe(value)}" for name, value in said if value is not None)
        return f"{type(thing).__name__}({told})"
    if isinstance(thing, bytes | bytearray | memoryview):
        return shorten(thing)
    if isinstance(thing, tuple):
        rest = [f"... ({len(thing)} in all)"] if len(thing) > _MOST_ITEMS else []
        return f"[{', '.join([*map(str, thing[:_MOST_ITEMS]), *rest])}]"
    return ascii(thing)


def _kind(meaning: object) -> str:
    """What is taken apart once: messages of one type, extended ones by what they carry."""
    inner = _inside(meaning) if isinstance(meaning, Extended) else None
    return type(meaning if inner is None else inner).__name__


def _inside(message: Extended) -> object | None:
    """What the extended message carries, when it is one that these tools speak."""
    try:
        if message.ext_id == HANDSHAKE_EXT_ID:
            return ExtendedHandshake.parse(message.payload)
        return parse_metadata_message(message.payload)
    except RemoteProtocolError:
        return None
