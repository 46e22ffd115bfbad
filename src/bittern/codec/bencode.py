"""Bencode (BEP 3): integers, byte strings, lists and dictionaries, to bytes and back.

Iterative and bounded: no input makes the decoder recurse, believe a length before the bytes are there,
or work for longer than its `Limits` allow.

```python
data = bittern.bencode.encode({"spam": ["eggs", 3]})
assert data == b"d4:spaml4:eggsi3eee"
assert bittern.bencode.decode(data) == {b"spam": [b"eggs", 3]}
```
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bittern.base.errors import BencodeError

Value: TypeAlias = int | bytes | list["Value"] | dict[bytes, "Value"]
"""What a bencoded value decodes to."""

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1

_ZERO, _NINE = b"09"
_DICT, _END, _INTEGER, _LIST = b"deil"
_SHORT = {b"%d" % length: length for length in range(256)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an input may cost.

    Attributes:
        depth: lists and dictionaries inside each other.
        tokens: values, keys and containers in all.
        digits: of one integer or string length.
        size: bytes of the whole input.
    """

    depth: int = 100
    tokens: int = 3_000_000
    digits: int = 20
    size: int = 128 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def encode(value: object) -> bytes:
    """The canonical bencoding of `value`.

    Takes int, bytes-like, str (as UTF-8), list, tuple, and Mapping with bytes or str keys, which are sorted.

    Raises:
        TypeError: for any other type, bool and None among them.
        ValueError: an integer beyond 64 bits, one key twice, or containers more than 100 deep.
    """
    out: list[bytes] = []
    open_boxes: list[Iterator[object]] = []
    items: Iterator[object] = iter((value,))
    while True:
        for item in items:
            if isinstance(item, bytes | bytearray | memoryview | str):
                raw = _raw(item)
                out.append(b"%d:%b" % (len(raw), raw))
            elif isinstance(item, int) and not isinstance(item, bool):
                if not INTEGER_MIN <= item <= INTEGER_MAX:
                    raise ValueError("bencode integers are limited to 64 bits here")
                out.append(b"i%de" % item)
            else:
                if len(open_boxes) == DEFAULT_LIMITS.depth:
                    raise ValueError(f"containers are nested more than {DEFAULT_LIMITS.depth} deep")
                out.append(b"d" if isinstance(item, Mapping) else b"l")
                open_boxes.append(items)
                items = _contents(item)
                break
        else:
            if not open_boxes:
                return b"".join(out)
            out.append(b"e")
            items = open_boxes.pop()


def _raw(text: object) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes | bytearray | memoryview):
        return bytes(text)
    raise TypeError(f"a dictionary key is bytes or str, not {type(text).__name__}")


def _contents(box: object) -> Iterator[object]:
    if isinstance(box, list | tuple):
        return iter(box)
    if not isinstance(box, Mapping):
        raise TypeError(f"{type(box).__name__} has no bencoding")
    by_key = {_raw(key): value for key, value in box.items()}
    if len(by_key) != len(box):
        raise ValueError("a key is given both as bytes and as str")
    return (part for key in sorted(by_key) for part in (key, by_key[key]))


def decode(
    data: bytes | bytearray | memoryview,
    *,
    strict: bool = True,
    unique: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Value:
    """The one value that `data` is.

    Args:
        data: the bencoding.
        strict: accept canonical bencode only. Lenient means: keys in any order, the first of equal keys
            wins, leading zeros and negative zero pass, bytes after the value are ignored.
        unique: refuse equal keys even when lenient.
        limits: what the input may cost.

    Raises:
        BencodeError: not bencode, or beyond the limits.
    """
    value, end = decode_prefix(data, strict=strict, unique=unique, limits=limits)
    if strict and end != len(data):
        raise BencodeError("bytes after the value", end)
    return value


def decode_prefix(
    data: bytes | bytearray | memoryview,
    *,
    strict: bool = True,
    unique: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Value, int]:
    """The value that `data` begins with and the number of bytes it takes (BEP 9, BEP 10 append raw bytes).

    Raises:
        BencodeError: not bencode, or beyond the limits.
    """
    return _Decoder(data, limits, strict=strict).value(0, unique=unique)


def decode_spans(
    data: bytes | bytearray | memoryview,
    *,
    strict: bool = True,
    unique: Collection[bytes] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[dict[bytes, Value], dict[bytes, slice]]:
    """The dictionary that `data` is, and where each of its values stands in `data`.

    An info hash is taken over such a span, never over a re-encoding (BEP 3).

    Args:
        data: the bencoding.
        strict: as for `decode`.
        unique: keys that may not appear twice, nor hold a repeated key at any depth, even when lenient.
        limits: what the input may cost.

    Raises:
        BencodeError: not a bencoded dictionary, or beyond the limits.
    """
    decoder = _Decoder(data, limits, strict=strict)
    values, spans, end = decoder.dictionary(unique)
    if strict and end != len(data):
        raise BencodeError("bytes after the value", end)
    return values, spans


class _Decoder:
    """One input and what is left of its allowance."""

    __slots__ = ("_data", "_limits", "_strict", "_tokens")

    def __init__(self, data: bytes | bytearray | memoryview, limits: Limits, *, strict: bool) -> None:
        if len(data) > limits.size:
            raise BencodeError(f"more than {limits.size} bytes", limits.size)
        self._data = bytes(data)
        self._limits = limits
        self._strict = strict
        self._tokens = limits.tokens

    def dictionary(self, unique: Collection[bytes]) -> tuple[dict[bytes, Value], dict[bytes, slice], int]:
        """The dictionary at the start with the spans of its values, and where it ends."""
        data = self._data
        if data[:1] != b"d":
            raise BencodeError("not a dictionary", 0)
        values: dict[bytes, Value] = {}
        spans: dict[bytes, slice] = {}
        self._spend(1, 0)
        at, last = 1, b""
        while data[at : at + 1] != b"e":
            self._spend(1, at)
            start, end = self._string(at)
            key, key_at, at = data[start:end], at, end
            if values and key <= last and (self._strict or (key in values and key in unique)):
                raise BencodeError("a key twice" if key in values else "keys are not sorted", key_at)
            value, end = self.value(at, unique=key in unique, depth=1)
            if key not in values:
                values[key], spans[key] = value, slice(at, end)
            last, at = max(key, last), end
        return values, spans, at + 1

    def value(self, at: int, *, unique: bool, depth: int = 0) -> tuple[Value, int]:
        """The value at offset `at`, and where it ends. One flat loop: calls for each token would double its time."""
        data, strict, size, find = self._data, self._strict, len(self._data), self._data.find
        deepest, longest = self._limits.depth - depth, self._limits.digits + 1
        left = self._tokens
        unique = unique or strict
        outer: list[tuple[Any, bytes | None, bytes | None]] = []  # the open containers round `box`
        box: Any = None
        key: bytes | None = None  # of the dictionary `box`, when its value comes next
        last: bytes | None = None  # the greatest key of the dictionary `box`; None when it is a list
        item: Any
        while True:
            left -= 1
            if left < 0 and data[at : at + 1] != b"e":
                raise BencodeError(f"more than {self._limits.tokens} values", at)
            byte = data[at] if at < size else 0
            if _ZERO <= byte <= _NINE:
                start = find(b":", at, at + longest) + 1
                length = _SHORT.get(data[at : start - 1]) if start else None
                if length is None or start + length > size:
                    start, end = self._string(at)
                else:
                    end = start + length
                item = data[start:end]
                if key is None and last is not None:
                    if item > last or not box:
                        last = item
                    elif item in box:
                        if unique:
                            raise BencodeError("a key twice", at)
                    elif strict:
                        raise BencodeError("keys are not sorted", at)
                    key, at = item, end
                    continue
                at = end
            elif byte == _END and box is not None and key is None:
                item = box
                box, key, last = outer.pop()
                at += 1
                left += 1  # the container was counted when it opened
            elif key is None and last is not None:
                raise BencodeError("a key is not a string" if at < size else "ends too early", at)
            elif byte == _INTEGER:
                item, at = self._integer(at)
            elif byte in b"dl":
                if len(outer) >= deepest:
                    raise BencodeError(f"nested more than {self._limits.depth} deep", at)
                outer.append((box, key, last))
                box, key, last = ([], None, None) if byte == _LIST else ({}, None, b"")
                at += 1
                continue
            else:
                raise BencodeError("not a value" if at < size else "ends too early", at)
            if key is not None:
                if key not in box:
                    box[key] = item
                key = None
            elif box is not None:
                box.append(item)
            else:
                self._tokens = left
                return item, at

    def _string(self, at: int) -> tuple[int, int]:
        """Where the content of the string at `at` starts and ends."""
        data = self._data
        colon = data.find(b":", at, at + self._limits.digits + 1)
        digits = data[at:colon] if colon > 0 else b""
        if not digits.isdigit():
            raise BencodeError("not a string length" if at < len(data) else "ends too early", at)
        if self._strict and digits[0] == _ZERO and len(digits) > 1:
            raise BencodeError("a length with leading zeros", at)
        end = colon + 1 + int(digits)
        if end > len(data):
            raise BencodeError("ends too early, within a string", at)
        return colon + 1, end

    def _integer(self, at: int) -> tuple[int, int]:
        """The integer at `at` and where it ends; ASCII digits only, as int() alone takes `1_0` and ` 1`."""
        end = self._data.find(b"e", at, at + self._limits.digits + 3)
        text = self._data[at + 1 : end] if end > 0 else b""
        digits = text.removeprefix(b"-")
        if not digits.isdigit() or len(digits) > self._limits.digits:
            raise BencodeError("not an integer", at)
        if self._strict and digits[0] == _ZERO and len(text) > 1:
            raise BencodeError("an integer with leading zeros or a negative zero", at)
        number = int(text)
        if not INTEGER_MIN <= number <= INTEGER_MAX:
            raise BencodeError("an integer beyond 64 bits", at)
        return number, end + 1

    def _spend(self, tokens: int, at: int) -> None:
        self._tokens -= tokens
        if self._tokens < 0:
            raise BencodeError(f"more than {self._limits.tokens} values", at)
