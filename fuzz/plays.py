"""Inputs that are plays: a row of acts, each with its kind in one byte, the length of what it says in two, and that.

What reads a play takes any bytes for one; the edits here keep its form, so that what is said deep inside of it is
changed without what follows becoming another play.
"""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from fuzz.driver import Edit

MOST_ACTS = 120
"""Acts of a play; what follows them is not played."""

Act = tuple[int, bytes]


def act(kind: int, said: bytes = b"") -> bytes:
    """One act as bytes; of what is said, at most 64 KiB."""
    said = said[:0xFFFF]
    return bytes((kind, *len(said).to_bytes(2))) + said


def acts(play: bytes) -> Iterator[Act]:
    """The acts of any bytes, at most `MOST_ACTS`; the last one may have been cut short."""
    at = 0
    for _ in range(MOST_ACTS):
        if at >= len(play):
            return
        size = int.from_bytes(play[at + 1 : at + 3])
        yield play[at], play[at + 3 : at + 3 + size]
        at += 3 + size


def written(play: Iterable[Act]) -> bytes:
    """The bytes of a play."""
    return b"".join(act(kind, said) for kind, said in play)


def play_edit(donors: Sequence[bytes], says: Sequence[Edit] = (), head: int = 0) -> Edit:
    """An edit of plays.

    Args:
        donors: plays that acts are taken from.
        says: edits of what is said; else it is changed blindly.
        head: bytes before the first act, which are changed now and then.
    """
    stock = [each for donor in donors for each in acts(donor[head:])]

    def edit(data: bytes, rng: Random) -> bytes:
        front, play = bytearray(data[:head]), list(acts(data[head:]))
        if front and not rng.randrange(8):
            front[rng.randrange(len(front))] = rng.randrange(256)
        if not play:
            return bytes(front) + written(rng.sample(stock, min(3, len(stock))))
        at = rng.randrange(len(play))
        kind, said = play[at]
        match rng.randrange(10):
            case 0:
                del play[at]
            case 1:
                play.insert(at, rng.choice(stock))
            case 2:
                play.insert(at + 1, rng.choice(stock))
            case 3:
                play[at:at] = [play[at]] * rng.choice((1, 1, 2, 20))
            case 4:
                other = rng.randrange(len(play))
                play[at], play[other] = play[other], play[at]
            case 5:
                play[at] = (rng.randrange(256) if rng.randrange(2) else rng.choice(stock)[0], said)
            case 6:
                first = rng.randrange(len(stock))
                play[at:at] = stock[first : first + rng.randint(1, 8)]
            case 7 if says:
                play[at] = (kind, rng.choice(says)(said, rng))
            case _:
                play[at] = (kind, nudged(said, rng))
        return bytes(front) + written(play[:MOST_ACTS])

    return edit


def nudged(data: bytes, rng: Random) -> bytes:
    """`data` with one of its bytes, or a number in it, changed."""
    if not data:
        return rng.randbytes(rng.randint(1, 8))
    out = bytearray(data)
    at = rng.randrange(len(out))
    match rng.randrange(6):
        case 0:
            out[at] = rng.randrange(256)
        case 1:
            out[at] ^= 1 << rng.randrange(8)
        case 2:
            out[at] = out[at] + rng.choice((1, 255)) & 255
        case 3:
            size = rng.choice((2, 4, 8))
            number = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 16384, 16385, 32768, 1 << 17, 1 << 63))
            out[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(size)
        case 4:
            del out[at : at + rng.randint(1, 8)]
        case _:
            out[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(out)
