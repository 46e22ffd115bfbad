"""The HTTP port of the real world: small bounded GETs with aiohttp, which is only imported for the first one."""

import asyncio
from typing import TYPE_CHECKING

from bittern.base.errors import NetworkError
from bittern.engine.core import Core
from bittern.engine.effects import HttpGet

from .tasks import Tasks
from .turn import Turn

if TYPE_CHECKING:
    import aiohttp

REDIRECTS = 5
_CHUNK = 1 << 16


class HttpFetcher:
    """Fetches for the engine (see ports.Http) and for the session.

    Args:
        user_agent: what we say we are.
        source: the local address to connect from, or None for the system's choice.
    """

    def __init__(self, user_agent: str, source: str | None = None) -> None:
        self._user_agent = user_agent
        self._source = source
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, max_bytes: int, timeout_seconds: float) -> tuple[int, bytes]:
        """GET `url`: its status and its body.

        Raises:
            NetworkError: no answer, too long an answer, or not HTTP.
        """
        import aiohttp  # noqa: PLC0415 - 0.2 s that a command without trackers need not pay
        from yarl import URL  # noqa: PLC0415 - as aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(local_addr=(self._source, 0) if self._source else None)
            self._session = aiohttp.ClientSession(
                connector=connector, headers={"User-Agent": self._user_agent}, cookie_jar=aiohttp.DummyCookieJar()
            )
        limit = aiohttp.ClientTimeout(total=timeout_seconds)
        try:
            async with self._session.get(
                URL(url, encoded=True), timeout=limit, max_redirects=REDIRECTS, allow_redirects=True
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    body += chunk
                    if len(body) > max_bytes:
                        raise NetworkError(f"the answer is longer than {max_bytes} bytes")
                return answer.status, bytes(body)
        except TimeoutError:
            raise NetworkError(f"no answer within {timeout_seconds:g} s") from None
        except aiohttp.TooManyRedirects:
            raise NetworkError(f"more than {REDIRECTS} redirects") from None
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or str(error.os_error)
            raise NetworkError(f"{error.host}:{error.port}: {reason}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise NetworkError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """End what is under way."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # let transports see their end


class HttpPort:
    """The fetcher as the engine's port (see ports.Http)."""

    def __init__(self, fetcher: HttpFetcher, core: Core, turn: Turn, tasks: Tasks) -> None:
        self._fetcher = fetcher
        self._core = core
        self._turn = turn
        self._tasks = tasks

    def get(self, wish: HttpGet) -> None:
        """See ports.Http."""
        self._tasks.start(self._get(wish), f"announce {wish.tracker}")

    async def _get(self, wish: HttpGet) -> None:
        try:
            status, body = await self._fetcher.fetch(wish.url, wish.max_bytes, wish.timeout_seconds)
        except NetworkError as error:
            self._core.http_failed(wish.ticket, str(error), self._turn.now())
        except Exception:
            self._core.http_failed(wish.ticket, "internal error", self._turn.now())  # else it waits for ever
            raise
        else:
            self._core.http_done(wish.ticket, status, body, self._turn.now())
        self._turn.soon()
