"""Mutations of bencoded data that stay bencoded data: values, keys and branches change, lengths fit."""

from collections.abc import Sequence
from random import Random
from typing import Final

from bittern.base.errors import BencodeError
from bittern.codec.bencode import Value, decode_prefix, encode
from fuzz.driver import Edit
from fuzz.plays import nudged

_NUMBERS: Final = (0, 1, -1, 2, 20, 255, 256, 16384, 65535, 65536, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, -(1 << 63))
_TEXTS: Final = (b"", b"\0", b"..", b"/", b"a" * 300, b"\xff\xfe", "\u202e".encode(), bytes(20), bytes(32), b"0")
_BRANCHES: Final[tuple[Value, ...]] = ([], {}, [[]], [0], [b""], {b"": 0}, {b"": {}}, [[b"a", b"b"]], 0, b"")
_MOST_SPOTS = 3000

Place = tuple[list[Value] | dict[bytes, Value], int | bytes]


def tree_edit(keys: Sequence[bytes], donors: Sequence[bytes] = ()) -> Edit:
    """An edit of bencoded data.

    Args:
        keys: names that mean something in it.
        donors: bencoded data that branches are taken from.
    """
    branches: list[Value] = [*_BRANCHES]
    for donor in donors:
        root = _read(donor)
        if root is not None:
            branches += [holder[spot] for holder, spot in _places(root[0])]  # type: ignore[index]  # of its own kind

    def edit(data: bytes, rng: Random) -> bytes:
        read = _read(data)
        if read is None or not (spots := _places(read[0])):
            return nudged(data, rng)
        root, size = read
        holder, spot = rng.choice(spots)
        if isinstance(holder, dict):
            assert isinstance(spot, bytes)
            _edit_entry(holder, spot, rng.choice(branches), rng.choice(keys), rng)
        else:
            assert isinstance(spot, int)
            _edit_item(holder, spot, rng.choice(branches), rng)
        try:
            return encode(root) + data[size:]
        except ValueError:  # nested too deep
            return data

    return edit


def _edit_entry(holder: dict[bytes, Value], key: bytes, branch: Value, name: bytes, rng: Random) -> None:
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[name] = branch
        case 2:
            holder[name] = holder[key]
        case 3:
            holder[nudged(key, rng)] = holder.pop(key)
        case 4:
            holder[key] = branch
        case _:
            holder[key] = _changed(holder[key], rng)


def _edit_item(holder: list[Value], at: int, branch: Value, rng: Random) -> None:
    match rng.randrange(7):
        case 0:
            del holder[at]
        case 1:
            holder.insert(at, branch)
        case 2:
            holder[at:at] = [holder[at]] * rng.choice((1, 2, 30))
        case 3:
            other = rng.randrange(len(holder))
            holder[at], holder[other] = holder[other], holder[at]
        case _:
            holder[at] = _changed(holder[at], rng)


def _changed(value: Value, rng: Random) -> Value:
    match value:
        case int():
            return (
                rng.choice((*_NUMBERS, *(each for each in (value + 1, value - 1, -value) if abs(each) < 1 << 63)))
                if rng.randrange(8)
                else b"%d" % value
            )
        case bytes() if rng.randrange(3):
            return nudged(value, rng)
        case bytes():
            return rng.choice((*_TEXTS, value + value, value[: len(value) // 2], value[:-1], 1))
        case _:
            others: tuple[Value, ...] = ([value], {b"": value}, [], {}, 0, b"")
            return rng.choice(others)


def _read(data: bytes) -> tuple[Value, int] | None:
    """The value at the beginning of `data`, and its size; the value is a copy of its own, without shared branches."""
    try:
        return decode_prefix(data, strict=False)
    except BencodeError:
        return None


def _places(root: Value) -> list[Place]:
    found: list[Place] = []
    todo = [root]
    while todo and len(found) < _MOST_SPOTS:
        value = todo.pop()
        if isinstance(value, dict):
            found += [(value, key) for key in value]
            todo += value.values()
        elif isinstance(value, list):
            found += [(value, at) for at in range(len(value))]
            todo += value
    return found
