"""What comes by HTTP: pages for those who may see them, and announces and scrapes for the front."""

from collections.abc import Sequence
from enum import Enum, unique

from bittern.version import __version__
from bittern.wire.http_request import Answer, Request

from . import pages
from .colleagues import Colleagues
from .figures import Figures
from .http import HttpFront, Reply
from .questions import FIGURES, Clerk

_HIDDEN = Answer(b"not found\n", 404)
_ALONE = Answer(b"a worker does not answer, come again\n", 503)


@unique
class Audience(Enum):
    """Who may look at `/stats` and `/metrics`."""

    NOBODY = "nobody"
    LOCAL = "local"
    """Programs on this machine."""
    ALL = "all"


class Window:
    """Answers requests.

    Args:
        front: for announces and scrapes.
        clerk: has the figures of this worker.
        audience: who may look at the pages.
        began: when the tracker started, monotonic seconds.
        colleagues: the other workers, whose figures count as well.
    """

    def __init__(
        self, front: HttpFront, clerk: Clerk, audience: Audience, began: float, colleagues: Colleagues | None = None
    ) -> None:
        self._front = front
        self._clerk = clerk
        self._audience = audience
        self._began = began
        self._colleagues = colleagues

    def answer(self, request: Request, host: bytes, now: float) -> Reply:
        """What `request` from the packed address `host` (4 or 16 bytes) is answered at `now`."""
        page = request.target.partition("?")[0]
        if page not in ("/", "/stats", "/metrics") or request.method not in ("GET", "HEAD"):
            return self._front.answer(request, host, now)
        local = host[0] == 127 if len(host) == 4 else host == bytes(15) + b"\x01"
        if self._audience is Audience.NOBODY or (self._audience is Audience.LOCAL and not local):
            return _HIDDEN
        colleagues, mine = self._colleagues, self._clerk.figures()
        if colleagues is None:
            return self._page(page, mine, now)

        def finish(replies: Sequence[bytes]) -> Answer:
            return self._page(page, Figures.sum([mine, *map(Figures.decode, replies)]), now)

        return colleagues.errand([(each, FIGURES) for each in colleagues.others], finish, _ALONE)

    def _page(self, page: str, figures: Figures, now: float) -> Answer:
        if page == "/metrics":
            return pages.metrics(figures, now - self._began, 1 if self._colleagues is None else self._colleagues.count)
        return pages.stats(figures, now - self._began, __version__)
