"""One web seed: what is known of its server, when it may be asked again, and what it lacks."""

from math import inf
from typing import TYPE_CHECKING

from bittern.base.address import is_local
from bittern.base.rate import Meter
from bittern.codec.info import Info
from bittern.wire.http_range import Refused, Why
from bittern.wire.webseed import FileRange, WebLayout, WebUrl

from .guard import MOST_REDIRECTS
from .runs import run_mask

if TYPE_CHECKING:
    from random import Random

FIRST_RETRY_SECONDS = 5.0
MOST_RETRY_SECONDS = 1800.0
OFFENCES = 3
"""Answers that could be none to our requests, after which a web seed is given up."""

CONNECTIONS = 2
"""To one web seed at a time."""

MOST_MOVED = 1000
"""Files of which it is remembered where they are; of others it is asked again."""

STRETCH_LEAST = 1 << 16
STRETCH_FIRST = 4 << 20
STRETCH_MOST = 64 << 20
_QUICK_SECONDS, _SLOW_SECONDS = 2.0, 8.0


class WebSeed:
    """One URL of one torrent.

    Args:
        number: who sends its blocks; below zero, where no peer's is.
        url: as it was named.
        parsed: the same.
        rng: jitters.
    """

    def __init__(self, number: int, url: str, parsed: WebUrl, rng: "Random") -> None:
        self.number = number
        self.url = url
        self._parsed = parsed
        self._rng = rng
        self._moved: dict[int, tuple[WebUrl, str, int]] = {}  # by file: where, who said so, after how many redirects
        self._offences = 0
        self.failures = 0
        """In a row."""
        self.due = 0.0
        """When it may be connected to; infinity for never again."""
        self.message: str | None = None
        """What went wrong last; None while all is well."""
        self.absent: dict[int, None] = {}
        """Files that it does not have, or has others in their places of."""
        self.lacks = 0
        """The set of pieces with bytes of those."""
        self.look_again = inf
        """When it may have got what it lacked."""
        self.rangeless = False
        """Whether it sends whole files, whatever it is asked for."""
        self.pipelining = True
        """Whether it may be asked for more before it has answered."""
        self.proven = False
        """Whether anything came from it."""
        self.stretch = STRETCH_FIRST
        """Bytes to ask for in one go."""
        self.arrived = 0
        """Bytes that came and were needed."""
        self.down = Meter()
        self.speed = 0.0
        """Bytes per second when it was last asked for something."""

    @property
    def connections(self) -> int:
        """How many there may be: the second when the first has brought something."""
        return CONNECTIONS if self.proven and not self.rangeless else 1

    @property
    def banned(self) -> bool:
        """Whether it is never to be asked again."""
        return self.due == inf

    def where(self, layout: WebLayout, file: int) -> tuple[WebUrl, str | None]:
        """What to ask for a file, and the address of the server that led us there, if one did."""
        if file in self._moved:
            url, led_from, _ = self._moved[file]
            return url, led_from
        return layout.url_of(self._parsed, file), None

    def moved(self, layout: WebLayout, file: int, location: str, led_from: str) -> str | None:
        """A server says where a file is; what is wrong with that, or None."""
        here, before = self.where(layout, file)
        count = self._moved[file][2] + 1 if file in self._moved else 1
        there = here.leads_to(location)
        if there is None:
            return f"a redirect to what is no web server: {location[:80]}"
        if count > MOST_REDIRECTS:
            self._moved.pop(file)
            return f"more than {MOST_REDIRECTS} redirects"
        # Who is elsewhere does not lead us into the local network, nor does anybody behind it.
        origin = before if before is not None and not is_local(before) else led_from
        self._moved[file] = (there, origin, count)
        if len(self._moved) > MOST_MOVED:
            del self._moved[next(iter(self._moved))]
        return None

    def expired(self, file: int) -> bool:
        """Where a server led us to, and the file came from, it is no more: whether to ask that server again.

        Links into stores are signed for minutes.
        """
        if file not in self._moved or self._moved[file][2]:
            return False
        del self._moved[file]
        return True

    def refused(self, refused: Refused, file: int, info: Info, layout: WebLayout, now: float) -> float:
        """It does not give a file; the seconds until it is asked for others, 0 for none."""
        self._moved.pop(file, None)
        if refused.why is Why.BUSY:
            return self.failed(str(refused), now, refused.retry_seconds)
        self.absent[file] = None
        self.message = str(refused)
        pieces = layout.pieces_of(file)
        count = info.geometry.piece_count
        self.lacks |= run_mask(pieces.start, pieces.stop, count)
        if self.lacks == run_mask(0, count, count):
            self.forget_lacks()
            return self.failed(str(refused), now, MOST_RETRY_SECONDS)
        self.look_again = min(self.look_again, now + MOST_RETRY_SECONDS)
        return 0.0

    def forget_lacks(self) -> None:
        """Ask it for everything again: mirrors are filled in time."""
        self.absent.clear()
        self.lacks = 0
        self.look_again = inf

    def failed(self, reason: str, now: float, wait: float | None = None) -> float:
        """It could not be reached, broke off or refused; the seconds until it is tried again.

        Args:
            reason: for people.
            now: the time.
            wait: the least of these seconds.
        """
        self.failures += 1
        self.message = reason
        self._moved.clear()  # where it led us last time may be what is wrong
        self.stretch = STRETCH_FIRST
        seconds: float = min(FIRST_RETRY_SECONDS * 2 ** min(self.failures - 1, 20), MOST_RETRY_SECONDS)
        seconds = max(seconds * (0.75 + self._rng.random() / 2), wait or 0.0)
        self.due = max(self.due, now + seconds)
        return seconds

    def offended(self, reason: str, now: float) -> float:
        """Its answer was none; the seconds until it is tried again, infinity for never."""
        self._offences += 1
        seconds = self.failed(reason, now)
        if self._offences >= OFFENCES:
            self.ban(reason)
            return inf
        return seconds

    def ban(self, reason: str) -> None:
        """Never ask it again."""
        self.due = inf
        self.message = reason

    def brought(self, part: FileRange) -> None:
        """A request was answered to its end."""
        self.failures = 0
        self.message = None
        self.proven = True
        if part.file in self._moved:
            url, led_from, _ = self._moved[part.file]
            self._moved[part.file] = (url, led_from, 0)

    def took(self, seconds: float) -> None:
        """All that was asked for in one go came in so many seconds: ask for more, or for less, the next time."""
        if seconds < _QUICK_SECONDS:
            self.stretch = min(2 * self.stretch, STRETCH_MOST)
        elif seconds > _SLOW_SECONDS:
            self.stretch //= 4
