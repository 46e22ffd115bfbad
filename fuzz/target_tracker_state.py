# Invariant: only ResumeError escapes, also under a good checksum, and then nothing was taken in; what is taken in is
# sound, is served, and reads back from what is saved of it.
"""Fuzz target: the file that keeps the swarms of a tracker."""

from hashlib import sha256
from random import Random
from typing import Final

from bittern.base.errors import ResumeError
from bittern.codec.bencode import encode
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.snapshot import MAGIC, restore, save
from fuzz.driver import Target
from fuzz.trees import tree_edit

_WALL: Final = 1_700_000_000.0
_MOST: Final = 100


def check(data: bytes) -> bool:
    """Take `data` in as a file, and as what is in one."""
    _taken_in(data)
    return _taken_in(MAGIC + sha256(data).digest() + data)


def _taken_in(data: bytes) -> bool:
    registry = _registry()
    try:
        count = restore(registry, data, _WALL)
    except ResumeError:
        assert not registry.totals().known
        assert not registry.completed()
        return False
    registry.check_invariants()
    known = registry.totals().known
    assert known <= min(count, _MOST)
    assert all(number > 0 for number in registry.completed().values())
    again = _registry()
    restore(again, save(registry, _WALL), _WALL)
    again.check_invariants()
    assert again.totals().known == known
    assert again.completed() == registry.completed()
    assert sorted(map(_peers, again.rows())) == sorted(map(_peers, registry.rows()))
    for now in (1.0, 3000.0, 9000.0):
        registry.advance(now)
        registry.check_invariants()
    assert not registry.totals().known, "somebody is known for ever"
    return known > 0


def _peers(row: tuple[bytes, bool, bytes, bytes]) -> tuple[bytes, bool, list[bytes]]:
    info_hash, seed, peers, ages = row
    size = len(peers) // len(ages)
    return info_hash, seed, sorted(peers[at : at + size] for at in range(0, len(peers), size))


def _registry() -> Registry:
    return Registry(0.0, TrackerSettings().life_seconds, _MOST, Random(1).random)


def _made(at: int = int(_WALL), tick: int = 21_000) -> bytes:
    name = bytes(range(20))
    rows = [
        [name, 0, bytes(range(12)), b"\0\5"],
        [name, 1, bytes(range(18)), b"\x09"],
        [name[::-1], 1, b"abcdef", b"\1"],
    ]
    return encode({"at": at, "completed": {name: 3}, "rows": rows, "tick milliseconds": tick})


TARGET = Target(
    "tracker_state",
    corpus=(_made(), _made(at=int(_WALL) - 600), _made(tick=1), _made(at=2**40), MAGIC + bytes(32) + _made()),
    words=(b"i-1e", b"i0e", b"i1e", b"i99999999999999999999e", b"0:", b"le", b"de", bytes(20), b"6:abcdef", b"1:\xff"),
    check=check,
    edits=(tree_edit((b"at", b"completed", b"rows", b"tick milliseconds")),),
)
