"""How many announces of all torrents are under way at a time, and how fast they begin."""

from bittern.base.rate import TokenBucket

MOST_UNDER_WAY = 50
"""Announces that wait for an answer at a time."""
PER_SECOND = 20.0
"""Announces that are begun in a second, when many torrents want to."""
_BURST_SECONDS = 2.5


class Turnstile:
    """Lets announces through one by one; goodbyes are counted, but nobody who leaves is held up.

    A torrent that cannot announce waits here, and is woken when it may try again. The first come are the first woken.

    Attributes:
        waiting: torrents that would announce, and have to wait to be woken.
        woken: torrents that waited and may try again, until somebody takes them.
    """

    def __init__(self) -> None:
        self._pace = TokenBucket(PER_SECOND, _BURST_SECONDS)
        self._under_way: dict[int, None] = {}
        self.waiting: dict[int, None] = {}
        self._open_at: float | None = None  # None while all places are taken
        self.woken: dict[int, None] = {}

    @property
    def room(self) -> int:
        """How many more may be under way."""
        return max(0, MOST_UNDER_WAY - len(self._under_way))

    def open(self, now: float) -> bool:
        """Whether an announce may begin."""
        return self.room > 0 and self._pace.available(now) > 0

    def wait(self, torrent: int, now: float) -> None:
        """A torrent would announce; it is woken when there is a place."""
        self.waiting[torrent] = None
        self._open_at = self._pace.ready_at(now) if self.room else None

    def forget(self, torrent: int) -> None:
        """A torrent does not want to announce any more."""
        self.waiting.pop(torrent, None)

    def begin(self, ticket: int) -> None:
        """A question goes out; it is under way until `end`."""
        self._under_way[ticket] = None
        self._pace.take(1)

    def end(self, ticket: int, now: float) -> None:
        """A question was answered, or never will be."""
        self._under_way.pop(ticket, None)
        if self._open_at is None and self.room:
            self._open_at = self._pace.ready_at(now)

    def clear(self, now: float) -> None:
        """What is under way does not count any more: nobody waits for it."""
        self._under_way.clear()
        self._open_at = self._pace.ready_at(now)

    def next_deadline(self) -> float | None:
        """When `advance` has somebody to wake."""
        return self._open_at if self.waiting else None

    def advance(self, now: float) -> None:
        """Wake as many as may announce now."""
        if self._open_at is None or now < self._open_at:
            return
        room = min(self.room, max(1, int(self._pace.available(now))))
        for torrent in list(self.waiting)[:room]:
            del self.waiting[torrent]
            self.woken[torrent] = None
        # Those are to come first: what they take is known when they have been here.
        self._open_at = max(now, self._pace.ready_at(now)) + 1 / PER_SECOND if self.room else None

    def take_woken(self) -> dict[int, None]:
        """Who was woken since the last call."""
        woken, self.woken = self.woken, {}
        return woken
