"""Long runs of neighbouring pieces, found in sets of pieces without looking at each piece.

Sets are integers as those of `Bitfield.as_int`.
"""

from bittern.base.bitfield import members

NO_RUN = range(0)


def run_from(pieces: int, size: int, first: int, most: int) -> range:
    """The neighbours from `first` on that are all in the set `pieces`, at most so many."""
    if not 0 <= first < size:
        return NO_RUN
    width = (size + 7) // 8 * 8
    most = min(most, size - first)
    window = pieces >> (width - first - most) & ((1 << most) - 1)
    absent = ~window & ((1 << most) - 1)
    return range(first, first + most - absent.bit_length())


def long_run(pieces: int, size: int, most: int, start: int = 0) -> range:
    """A run of up to `most` neighbours in the set `pieces`; where none is so long, one of at least half the longest.

    Args:
        pieces: the set.
        size: how many pieces there are.
        most: pieces of the run, at least 1.
        start: where to begin to look, about; the search goes on from 0 at the end.
    """
    starts, length = pieces, 1  # where runs of at least `length` pieces begin
    if not starts:
        return NO_RUN
    while length < most:
        step = min(length, most - length)
        longer = starts & (starts << step)
        if not longer:
            break
        starts, length = longer, length + step
    return run_from(pieces, size, members(starts, size, start, 1)[0], most)


def first_run(pieces: int, size: int, most: int) -> range:
    """The neighbours from the first of the set `pieces` on, at most so many."""
    return run_from(pieces, size, members(pieces, size, 0, 1)[0], most) if pieces else NO_RUN


def run_mask(first: int, stop: int, size: int) -> int:
    """The set of the pieces from `first` to `stop`, not included, of `size`."""
    width = (size + 7) // 8 * 8
    return ((1 << max(0, stop - first)) - 1) << (width - max(first, stop))
