"""Questions to trackers that are under way, over HTTP and over UDP: whose they are, and who is told of the answer."""

from collections.abc import Callable

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.wire.announce import AnnounceReply

from .effects import HttpGet
from .sources.announcer import understood
from .world import Shared


class Inquiries:
    """Those of one core.

    Args:
        shared: what the torrents of the core share: each begins its own questions there.
        tell: is called with a torrent's number, the ticket of its question, the answer, and the time.
    """

    def __init__(self, shared: Shared, tell: Callable[[int, int, AnnounceReply | TrackerError, float], None]) -> None:
        self._shared = shared
        self._tell = tell
        self._fetches: dict[int, HttpGet] = {}

    def __len__(self) -> int:
        return len(self._fetches) + len(self._shared.udp_asked)

    def asked(self, wish: HttpGet) -> None:
        """A fetch goes out."""
        self._fetches[wish.ticket] = wish

    # --- what the world tells

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        """A fetch was answered."""
        # Some trackers refuse with a status and a bencoded reason; a page for people is no reason.
        sense = status == 200 or (body[:1] == b"d" and body.rstrip()[-1:] == b"e")
        self._fetched(ticket, understood(body) if sense else TrackerError(f"HTTP status {status}"), now)

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        """A fetch led to nothing."""
        self._fetched(ticket, TrackerError(reason), now)

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A look-up found these numeric addresses."""
        self._shared.udp_trackers.resolved(ticket, hosts, now)
        self._take_answers(now)

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram came that a tracker may have sent."""
        if self._shared.udp_trackers.datagram(data, source, now):
            self._take_answers(now)

    def unreachable(self, address: Address, reason: str, now: float) -> None:
        """The system cannot send to `address`."""
        self._shared.udp_trackers.unreachable(address, reason, now)
        self._take_answers(now)

    def filter_changed(self, now: float) -> None:
        """The IP filter is another: whom it keeps out is asked no more."""
        self._shared.udp_trackers.filter_changed(now)
        self._take_answers(now)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        dues = (self._shared.turnstile.next_deadline(), self._shared.udp_trackers.next_deadline())
        return min((due for due in dues if due is not None), default=None)

    def advance(self, now: float) -> None:
        """Let through who waits, and repeat what was not answered."""
        if self._shared.turnstile.waiting:
            self._shared.turnstile.advance(now)
        if self._shared.udp_trackers.lines:
            self._shared.udp_trackers.advance(now)
            self._take_answers(now)

    def _fetched(self, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        wish = self._fetches.pop(ticket, None)
        if wish is not None:
            self._hand_over(wish.torrent, ticket, said, now)

    def _take_answers(self, now: float) -> None:
        """Hand the answers of UDP trackers to who asked."""
        for ticket, answer in self._shared.udp_trackers.take_answers():
            torrent = self._shared.udp_asked.pop(ticket, None)
            if torrent is not None and not isinstance(answer, tuple):
                self._hand_over(torrent, ticket, answer, now)

    def _hand_over(self, torrent: int, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        self._shared.turnstile.end(ticket, now)
        self._tell(torrent, ticket, said, now)
