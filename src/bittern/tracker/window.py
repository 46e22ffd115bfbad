"""What comes by HTTP: pages for those who may see them, and announces and scrapes for the front."""

from collections.abc import Iterable, Sequence
from enum import Enum, unique
from ipaddress import IPv6Address, ip_address

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
        proxies: addresses of reverse proxies, which are believed for whom they ask.
    """

    def __init__(
        self,
        front: HttpFront,
        clerk: Clerk,
        audience: Audience,
        began: float,
        colleagues: Colleagues | None = None,
        proxies: Iterable[str] = (),
    ) -> None:
        self._front = front
        self._clerk = clerk
        self._audience = audience
        self._began = began
        self._colleagues = colleagues
        self._proxies = frozenset(ip_address(each).packed for each in proxies)

    def answer(self, request: Request, host: bytes, now: float) -> Reply:
        """What `request` from the packed address `host` (4 or 16 bytes) is answered at `now`."""
        proxied = request.forwarded != ""
        if proxied and host in self._proxies and (client := _packed(request.forwarded)):
            host, proxied = client, False
        page = request.target.partition("?")[0]
        if page not in ("/", "/stats", "/metrics") or request.method not in ("GET", "HEAD"):
            return self._front.answer(request, host, now)
        if not self._may_see(host, proxied=proxied):
            return _HIDDEN
        colleagues, mine = self._colleagues, self._clerk.figures()
        if colleagues is None:
            return self._page(page, mine, now)

        def finish(replies: Sequence[bytes]) -> Answer:
            return self._page(page, Figures.sum([mine, *map(Figures.decode, replies)]), now)

        return colleagues.errand([(each, FIGURES) for each in colleagues.others], finish, _ALONE)

    def _may_see(self, host: bytes, *, proxied: bool) -> bool:
        if self._audience is not Audience.LOCAL:
            return self._audience is Audience.ALL
        # A proxy on this machine asks for somebody who may be anywhere.
        return not proxied and (host[0] == 127 if len(host) == 4 else host == bytes(15) + b"\x01")

    def _page(self, page: str, figures: Figures, now: float) -> Answer:
        if page == "/metrics":
            return pages.metrics(figures, now - self._began, 1 if self._colleagues is None else self._colleagues.count)
        return pages.stats(figures, now - self._began, __version__)


def _packed(text: str) -> bytes:
    """The address that `text` is, b"" for none."""
    try:
        address = ip_address(text)
    except ValueError:
        return b""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
