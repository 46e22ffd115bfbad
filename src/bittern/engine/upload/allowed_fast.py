"""Pieces that a peer may ask for while it is choked, so that it soon has something to trade (BEP 6)."""

from hashlib import sha1
from ipaddress import ip_address

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import Geometry
from bittern.base.ids import InfoHashV1

ALLOWED_PIECES = 10
"""Pieces that one peer may ask for while choked; one that has more than that is no beginner and may not."""
ALLOWED_BYTES = 8 << 20
"""Fewer pieces, but at least one, where so many would be more than this."""
ALLOWED_SHARE = 64
"""Or where they would be more than one in so many: a crowd of one network asks for the same pieces."""

OFFER_SHARE = 4
"""One beginner to so many slots is newly allowed something in a round."""


def allowed_fast_set(host: str, info_hash: InfoHashV1, pieces: int, count: int) -> tuple[int, ...]:
    """The canonical set for the peer at `host`: the same whoever computes it, so that reconnecting gains nothing.

    BEP 6 defines it for the /24 network of an IPv4 address; of an IPv6 address the /64 is taken likewise.

    Args:
        host: an IP address.
        info_hash: of the torrent.
        pieces: of the torrent.
        count: how many are wanted; fewer come of a torrent that has fewer.
    """
    packed = ip_address(host).packed
    known = 3 if len(packed) == 4 else 8
    digest = packed[:known] + bytes(len(packed) - known) + info_hash
    chosen: dict[int, None] = {}
    while len(chosen) < min(count, pieces):
        digest = sha1(digest).digest()
        for at in range(0, 20, 4):
            if len(chosen) < count:
                chosen[int.from_bytes(digest[at : at + 4]) % pieces] = None
    return tuple(chosen)


def offers_per_round(slots: int) -> int:
    """Beginners that are newly allowed something in one round, where `slots` are served.

    Were all of a crowd, each would get a piece of its own at the same slow pace: nobody had a whole one to pass on
    until the line had carried one for each.
    """
    return -(-slots // OFFER_SHARE)


def is_beginner(pieces: Bitfield | None) -> bool:
    """Whether a peer with `pieces` has so little to trade that it may ask for something while choked."""
    return pieces is None or pieces.count <= ALLOWED_PIECES


def allowance(host: str, info_hash: InfoHashV1, geometry: Geometry) -> dict[int, int]:
    """What the peer at `host` may ask for while choked: for each piece its blocks, each of them once."""
    count = min(
        ALLOWED_PIECES, max(1, ALLOWED_BYTES // geometry.piece_size), max(1, geometry.piece_count // ALLOWED_SHARE)
    )
    chosen = allowed_fast_set(host, info_hash, geometry.piece_count, count)
    return {piece: geometry.block_count(piece) for piece in chosen}
