"""Whether a request is served, refused, or an offence. Never dropped in silence: the asker would wait for it."""

from enum import Enum, unique

from bittern.base.geometry import BLOCK, Geometry

CHOKED_MOST = 300
"""Requests of a choked peer that are refused before the peer is dropped."""


@unique
class Verdict(Enum):
    """What becomes of a request."""

    SERVE = "serve"
    REFUSE = "refuse"
    OFFENCE = "offence"


def admit(
    geometry: Geometry, request: tuple[int, int, int], *, have: bool, allowed: bool, queued: int, most: int
) -> Verdict:
    """Decide about one request.

    Args:
        geometry: of the torrent.
        request: piece, begin, length.
        have: we have that piece stored.
        allowed: the peer is not choked.
        queued: requests of it that wait.
        most: requests that may wait.
    """
    piece, begin, length = request
    # BEP 3: everyone asks for at most 2**14 bytes, and closes on who asks for more.
    if length > BLOCK or not geometry.contains(piece, begin, length):
        return Verdict.OFFENCE
    if not have or not allowed or queued >= most:
        return Verdict.REFUSE
    return Verdict.SERVE
