"""How large datagrams may be on the way to a peer (RFC 4821, 8899): tried with packets that may be lost."""

LEAST = 548
"""Bytes that every host must take by IPv4 (RFC 791: 576 with the headers of IP and UDP)."""
LEAST_IPV6 = 1232
"""Bytes that every path must carry by IPv6 (RFC 8200: 1280)."""
_ETHERNET = 1500
_JUMBO = 9000
_HEADERS, _HEADERS_IPV6 = 28, 48
_PRECISION = 32
"""Bytes that are not worth another try."""
_TRIES = 2
"""Losses of a probe until it is held to be too large: one may have met a full queue."""
_AGAIN_SECONDS = 600.0
"""After the end of a search, until larger ones are tried again (RFC 8899: PMTU_RAISE_TIMER)."""


class PathMtu:
    """The search for the largest datagram, payload of UDP, that goes through.

    First the sizes that are common, from below; where not even Ethernet's goes through, by halves. Beyond it there is
    no such search: some receivers read 1,500 bytes, or 2,000, and take what they read for all of it. A probe is told by
    its padding, which is cut then, but for the few bytes at its end: no receiver's buffer may end there.

    Args:
        ipv6: whose headers to count.
        most: no datagram is larger.

    Attributes:
        least: bytes that go through everywhere.
        proven: bytes that go through.
    """

    __slots__ = ("_done_at", "_failed", "_losses", "_plateaus", "least", "proven")

    def __init__(self, most: int, *, ipv6: bool) -> None:
        headers = _HEADERS_IPV6 if ipv6 else _HEADERS
        self.proven = self.least = min(LEAST_IPV6 if ipv6 else LEAST, most)
        sizes = (_ETHERNET - headers, _JUMBO - headers, most)
        self._plateaus = sorted({min(size, most) for size in sizes})
        self._failed: int | None = None  # the least that did not go through
        self._losses = 0
        self._done_at: float | None = None

    def probe(self, now: float) -> int | None:
        """Bytes of the datagram to try next; None while there is nothing to find out."""
        if self._done_at is not None:
            if now < self._done_at + _AGAIN_SECONDS:
                return None
            self._failed = self._done_at = None
        if self._failed is None:
            larger = next((size for size in self._plateaus if size > self.proven), None)
        else:
            larger = next((size for size in self._plateaus if self.proven < size < self._failed), None)
            if larger is None and self._failed <= self._plateaus[0] and self._failed - self.proven > _PRECISION:
                larger = (self.proven + self._failed) // 2
        if larger is None:
            self._done_at = now
        return larger

    def arrived(self, size: int) -> None:
        """A datagram of `size` bytes went through."""
        if size > self.proven:
            self.proven = size
            self._losses = 0

    def vanished(self, size: int) -> None:
        """A probe of `size` bytes was lost, and others around it were not."""
        self._losses += 1
        if self._losses >= _TRIES:
            self.too_big(size)

    def too_big(self, size: int) -> None:
        """The system, or a router, says that `size` bytes do not go through."""
        self._losses = 0
        if size <= self.proven:
            self._begin_anew()
        if self._failed is None or size < self._failed:
            self._failed = size

    def fell(self) -> None:
        """What is as large as the largest that went through does not arrive any more, and nobody says why."""
        self._begin_anew()
        self._failed = None
        self._losses = 0

    def _begin_anew(self) -> None:
        """The path is another one now."""
        self.proven = self.least
        self._done_at = None
