"""The swarms as bytes, to be found again by the next process.

`MAGIC`, the SHA-256 of what follows, and that: a bencoded dictionary. Ages count in seconds of wall time, so that
the time between two processes counts, too. What does not check out as a whole is not believed in part.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from bittern.base.errors import BencodeError, ResumeError
from bittern.codec.bencode import Limits, Value, decode, encode

from .registry import Registry

MAGIC: Final = b"bittern tracker 1\n"
_MOST: Final = 0xFFFFFFFF  # what a scrape has room for
_LIMITS = Limits(depth=4, tokens=200_000_000, size=1 << 34)


def save(registry: Registry, wall_at: float) -> bytes:
    """All swarms at `wall_at`, seconds of the wall clock."""
    body = encode(
        {
            "at": int(wall_at),
            "completed": registry.completed(),
            "rows": [[info_hash, int(seed), peers, ages] for info_hash, seed, peers, ages in registry.rows()],
            "tick milliseconds": round(registry.tick_seconds * 1000),
        }
    )
    return MAGIC + sha256(body).digest() + body


def restore(
    registry: Registry, data: bytes, wall_at: float, wanted: Callable[[bytes], bool] = lambda _info_hash: True
) -> int:
    """Take in what `save` made, without who is too old at `wall_at`; how many peers there were.

    Args:
        registry: to put them into.
        data: what `save` made.
        wall_at: seconds of the wall clock, now.
        wanted: whether to take in a swarm, by its info hash.

    Raises:
        ResumeError: it is damaged; nothing was taken in.
    """
    head = len(MAGIC) + 32
    body = data[head:]
    if not data.startswith(MAGIC) or sha256(body).digest() != data[len(MAGIC) : head]:
        raise ResumeError("the file is damaged, or none of a tracker's")
    try:
        said = decode(body, limits=_LIMITS)
    except BencodeError as error:
        raise ResumeError(f"the file makes no sense: {error}") from None
    at, completed, rows, tick = _checked(said)
    gone = max(0.0, wall_at - at)
    for info_hash, count in completed.items():
        if wanted(info_hash):
            registry.restore_completed(info_hash, count)
    total = 0
    for info_hash, seed, peers, ages in rows:
        if not wanted(info_hash):
            continue
        size = len(peers) // len(ages)
        for number, age in enumerate(ages):
            seconds = age * tick / 1000 + gone
            address = peers[number * size : (number + 1) * size]
            registry.restore(info_hash, address, round(seconds / registry.tick_seconds), seed=seed)
        total += len(ages)
    return total


def _checked(said: Value) -> tuple[int, dict[bytes, int], list[tuple[bytes, bool, bytes, bytes]], int]:
    """The parts, of the right types and sizes; their checksum was right, so this is about other versions."""
    if not isinstance(said, dict):
        raise ResumeError("the file makes no sense")
    at, completed, rows, tick = (said.get(key) for key in (b"at", b"completed", b"rows", b"tick milliseconds"))
    if not (isinstance(at, int) and isinstance(tick, int) and isinstance(completed, dict) and isinstance(rows, list)):
        raise ResumeError("the file lacks a part")
    if tick <= 0:
        raise ResumeError("the file makes no sense")
    counts = {key: n for key, n in completed.items() if isinstance(n, int) and 0 < n <= _MOST and len(key) == 20}
    found = []
    for row in rows:
        match row:
            case [bytes(info_hash), int(seed), bytes(peers), bytes(ages)] if len(info_hash) == 20 and ages:
                if len(peers) not in (6 * len(ages), 18 * len(ages)):
                    raise ResumeError("the file has addresses of no family")
                found.append((info_hash, seed == 1, peers, ages))
            case _:
                raise ResumeError("the file makes no sense")
    return at, counts, found, tick
