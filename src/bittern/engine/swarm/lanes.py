"""The two directions of one place in the tree of limits."""

from bittern.base.throttle import Throttle


class Lanes:
    """What may be asked for and what may be served at one place: by one peer, one torrent, a group, or all.

    Args:
        above: what all of this passes too; None for nothing.

    Attributes:
        down: what is asked for.
        up: what is served.
    """

    __slots__ = ("above", "down", "up")

    def __init__(self, above: "Lanes | None" = None) -> None:
        self.above = above
        self.down: Throttle = Throttle(above.down if above is not None else None)
        self.up: Throttle = Throttle(above.up if above is not None else None)

    def set_limits(self, down: float | None, up: float | None) -> None:
        """Bytes per second from now on; `math.inf` for no limit, None for no change."""
        if down is not None:
            self.down.set_limit(down)
        if up is not None:
            self.up.set_limit(up)

    def move(self, above: "Lanes") -> None:
        """From now on all of this passes `above`, and no more what it passed before."""
        self.above = above
        self.down.move(above.down)
        self.up.move(above.up)
