"""The HTTP port of the real world: small bounded GETs with aiohttp, which is only imported for the first one."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from bittern.base.errors import NetworkError
from bittern.engine.core import Core
from bittern.engine.effects import HttpGet
from bittern.engine.sources.guard import names_local_host, refusal
from bittern.wire.urls import ascii_url, escaped

from .proxying import Purpose
from .route import Route
from .tasks import Tasks
from .tcp import loss_of
from .turn import Turn

if TYPE_CHECKING:
    import aiohttp

REDIRECTS = 5
PATIENCE_SECONDS = 2.0
"""What must not overtake another fetch waits for it so long; a goodbye has five seconds in all."""
_MOVED = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16


class _Kind(NamedTuple):
    """Why a connection is made, and to whom it may be: of one family, in our network, judged by the IP filter."""

    purpose: Purpose
    ipv6: bool | None
    local: bool
    filtered: bool


class HttpFetcher:
    """Fetches for the engine (see ports.Http) and for the session.

    Args:
        user_agent: what we say we are; nothing where that is empty.
        route: how we get out.
    """

    def __init__(self, user_agent: str, route: Route) -> None:
        self._user_agent = user_agent
        self._route = route
        self.blocks: Callable[[str], bool] = lambda _: False
        """Whether nobody connects to a numeric address: the IP filter."""
        self._sessions: dict[_Kind, aiohttp.ClientSession] = {}

    async def fetch(
        self,
        url: str,
        max_bytes: int,
        timeout_seconds: float,
        purpose: Purpose = Purpose.WEB,
        *,
        ipv6: bool | None = None,
        local: bool = True,
        filtered: bool = True,
    ) -> tuple[int, bytes]:
        """GET `url`: its status and its body.

        Args:
            url: http or https.
            max_bytes: of the body, uncompressed.
            timeout_seconds: for everything, redirects too.
            purpose: why it is asked.
            ipv6: by which family of addresses; None for any.
            local: whether the server may be on this machine or in its network (see engine.sources.guard). One that is
                redirected to may be only if the URL before says itself that it is there.
            filtered: whether the IP filter is for it.

        Raises:
            NetworkError: no answer, too long an answer, not HTTP, or a server that must not be asked.
        """
        import aiohttp  # noqa: PLC0415 - 0.2 s that a command without trackers need not pay

        try:
            async with asyncio.timeout(timeout_seconds):
                for _ in range(REDIRECTS + 1):
                    url = ascii_url(url)
                    session = self._session(_Kind(purpose, ipv6, local, filtered))
                    status, target, body = await self._get(session, url, max_bytes)
                    if target is None:
                        return status, body
                    local = local and names_local_host(url)
                    url = urljoin(url, target)
                raise NetworkError(f"more than {REDIRECTS} redirects")
        except TimeoutError:
            raise NetworkError(f"no answer within {timeout_seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or str(error.os_error)
            if reason.startswith("Connect call failed"):  # asyncio's words, in place of the system's
                reason = str(loss_of(error.os_error))
            raise NetworkError(f"{error.host}:{error.port}: {reason}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise NetworkError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """End what is under way, and all connections; what is fetched later makes new ones."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()
        if sessions:
            await asyncio.sleep(0)  # let transports see their end

    def _session(self, want: _Kind) -> "aiohttp.ClientSession":
        """Connections of one kind; those of another kind are never used for it."""
        import aiohttp  # noqa: PLC0415 - as above

        from .connector import connector  # noqa: PLC0415 - it is of aiohttp

        if want not in self._sessions:
            self._sessions[want] = aiohttp.ClientSession(
                connector=connector(self._route, want.purpose, partial(self._refusal, want), ipv6=want.ipv6),
                headers={"User-Agent": self._user_agent} if self._user_agent else None,
                skip_auto_headers=["User-Agent"],
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._sessions[want]

    def _refusal(self, want: _Kind, host: str) -> str | None:
        """Why nobody is to connect to a numeric address for a URL of this kind; None where it may be."""
        reason = refusal(host, local=want.local)
        if reason is None and want.filtered and self.blocks(host):
            return f"the IP filter blocks its address, {host}"
        return reason

    @staticmethod
    async def _get(session: "aiohttp.ClientSession", url: str, max_bytes: int) -> tuple[int, str | None, bytes]:
        """Status, where it leads to if anywhere, and the body of one exchange."""
        from yarl import URL  # noqa: PLC0415 - as aiohttp

        async with session.get(URL(url, encoded=True), allow_redirects=False) as answer:
            target = answer.headers.get("Location") if answer.status in _MOVED else None
            if target is not None:
                return answer.status, escaped(target.encode("utf-8", "surrogateescape")), b""
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > max_bytes:
                    raise NetworkError(f"the answer is longer than {max_bytes} bytes")
            return answer.status, None, bytes(body)


class HttpPort:
    """The fetcher as the engine's port (see ports.Http)."""

    def __init__(self, fetcher: HttpFetcher, core: Core, turn: Turn, tasks: Tasks) -> None:
        self._fetcher = fetcher
        self._core = core
        self._turn = turn
        self._tasks = tasks
        self._running: dict[int, asyncio.Task[None]] = {}  # by ticket

    def get(self, wish: HttpGet) -> None:
        """See ports.Http."""
        task = self._running[wish.ticket] = self._tasks.start(self._get(wish), f"announce {wish.tracker}")
        task.add_done_callback(lambda _: self._running.pop(wish.ticket, None))

    async def _get(self, wish: HttpGet) -> None:
        before = [self._running[ticket] for ticket in wish.after if ticket in self._running]
        try:
            if before:
                await asyncio.wait(before, timeout=PATIENCE_SECONDS)
            status, body = await self._fetcher.fetch(
                wish.url,
                wish.max_bytes,
                wish.timeout_seconds,
                Purpose.TRACKERS,
                ipv6=wish.ipv6,
                local=wish.local,
                filtered=wish.filtered,
            )
        except NetworkError as error:
            self._core.http_failed(wish.ticket, str(error), self._turn.now())
        except Exception:
            self._core.http_failed(wish.ticket, "internal error", self._turn.now())  # else it waits for ever
            raise
        else:
            self._core.http_done(wish.ticket, status, body, self._turn.now())
        self._turn.soon()
