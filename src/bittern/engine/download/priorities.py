"""From how much each file is wanted to how much each piece is: a piece is wanted as much as the most wanted in it."""

from collections.abc import Sequence

from bittern.base.errors import LocalProtocolError
from bittern.codec.metainfo import Info

SKIP, NORMAL, HIGHEST = 0, 4, 7
"""Priorities: 0 is not fetched, 4 is the rule, 7 comes first."""


def piece_priorities(info: Info, files: Sequence[int]) -> bytes:
    """The priority of every piece.

    Args:
        info: the torrent.
        files: the priority of each of its files, pads included; that of a pad does not matter.

    Raises:
        LocalProtocolError: a priority outside 0 to 7, or not one for each file.
    """
    if len(files) != len(info.files) or not all(SKIP <= priority <= HIGHEST for priority in files):
        raise LocalProtocolError(f"priorities must be 0 to 7, one for each of {len(info.files)} files")
    geometry = info.geometry
    pieces = bytearray(geometry.piece_count)
    for file, priority in zip(info.files, files, strict=True):
        if file.pad or not file.length:
            continue
        span = geometry.pieces_of(file.offset, file.length)
        # Only the first and the last piece may be shared with other files.
        edges = {span[0]: pieces[span[0]], span[-1]: pieces[span[-1]]}
        pieces[span.start : span.stop] = bytes((priority,)) * len(span)
        for piece, before in edges.items():
            pieces[piece] = max(before, priority)
    return bytes(pieces)
