"""Asks trackers how large swarms are, without being in any of them (BEP 15, BEP 48)."""

import asyncio
import secrets
from collections.abc import Sequence
from itertools import count

from bittern.base.address import Address
from bittern.base.errors import NetworkError, TrackerError
from bittern.base.ids import InfoHashV1
from bittern.engine.effects import Resolve, SendDatagram
from bittern.engine.sources.guard import may_be_local
from bittern.engine.sources.udp_trackers import Answer, UdpAsk, UdpTrackers
from bittern.wire.announce import ScrapeEntry
from bittern.wire.tracker_http import MAX_REPLY, parse_scrape_reply, scrape_url
from bittern.wire.tracker_udp import MAX_SCRAPE, endpoint

from .http import HttpFetcher
from .proxying import Purpose
from .resolver import SystemResolver
from .tasks import Tasks
from .turn import Turn
from .udp_ports import Ports, UdpPorts

SECONDS = 15.0
"""Time for one question."""
RESEND_SECONDS = 4.0
"""What has no answer over UDP is sent again after so long, and once more."""


class Scraper:
    """Trackers to ask, on the running loop; to be closed.

    Args:
        user_agent: what we say we are.
        ports: for datagrams, and the way out; owned from now on.
    """

    def __init__(self, user_agent: str, ports: Ports) -> None:
        loop = asyncio.get_running_loop()
        self._tickets = count(1)
        self._trackers = UdpTrackers(secrets.token_bytes, lambda: next(self._tickets))
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._tasks = Tasks()
        self._turn = Turn(loop)
        self._udp = UdpPorts(loop, self._turn, self, ports)
        self._resolver = SystemResolver(self._turn, self, self._tasks, ports.route)
        self._http = HttpFetcher(user_agent, ports.route)
        self._turn.start(self._settle, bool)

    async def scrape(
        self, tracker: str, info_hashes: Sequence[InfoHashV1], *, trusted: bool = False
    ) -> dict[InfoHashV1, ScrapeEntry]:
        """The state of the swarms that a tracker knows among `info_hashes`, asked for 74 at a time.

        Args:
            tracker: URL that it is announced to.
            info_hashes: of any number of swarms.
            trusted: whether the user named the tracker, which then may be anywhere in the local network.

        Raises:
            TrackerError: it cannot be asked, does not answer, or refuses.
        """
        found: dict[InfoHashV1, ScrapeEntry] = {}
        ask = self._by_udp if tracker[:4].lower() == "udp:" else self._by_http
        local = trusted or may_be_local(tracker)
        for at in range(0, len(info_hashes), MAX_SCRAPE):
            found |= await ask(tracker, tuple(info_hashes[at : at + MAX_SCRAPE]), local=local)
        return found

    async def close(self) -> None:
        """Ask nobody any more."""
        self._udp.close()
        self._turn.close()
        await self._tasks.close()
        await self._http.close()

    # --- what the world tells (see Core)

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram came."""
        self._trackers.datagram(data, source, now)

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        """The system cannot send to `address`."""
        self._trackers.unreachable(address, reason, now)

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A name was looked up."""
        self._trackers.resolved(ticket, hosts, now)

    async def _by_http(
        self, tracker: str, hashes: tuple[InfoHashV1, ...], *, local: bool
    ) -> dict[InfoHashV1, ScrapeEntry]:
        url = scrape_url(tracker, hashes)
        if url is None:
            raise TrackerError("its URL has no place to ask how large swarms are (BEP 48)")
        try:
            status, body = await self._http.fetch(url, MAX_REPLY, SECONDS, Purpose.TRACKERS, local=local)
        except NetworkError as error:
            raise TrackerError(str(error)) from None
        if status != 200 and body[:1] != b"d":
            raise TrackerError(f"HTTP status {status}")
        return {info_hash: entry for info_hash, entry in parse_scrape_reply(body).items() if info_hash in hashes}

    async def _by_udp(
        self, tracker: str, hashes: tuple[InfoHashV1, ...], *, local: bool
    ) -> dict[InfoHashV1, ScrapeEntry]:
        endpoint(tracker)
        asking = [asyncio.create_task(self._ask(tracker, hashes, ipv6=ipv6, local=local)) for ipv6 in (False, True)]
        try:
            for each in asyncio.as_completed(asking):
                answer = await each
                if isinstance(answer, tuple):  # the other family may lead nowhere
                    return dict(zip(hashes, answer, strict=False))  # who answers less knows less
            raise next(answer for answer in map(asyncio.Task.result, asking) if isinstance(answer, TrackerError))
        finally:
            for task in asking:
                task.cancel()

    async def _ask(self, tracker: str, hashes: tuple[InfoHashV1, ...], *, ipv6: bool, local: bool) -> Answer:
        ticket = next(self._tickets)
        self._answers[ticket] = asyncio.get_running_loop().create_future()
        self._trackers.ask(UdpAsk(ticket, tracker, hashes, ipv6, SECONDS, local, RESEND_SECONDS), self._turn.now())
        self._turn.soon()
        return await self._answers[ticket]

    def _settle(self, now: float) -> float | None:
        due = self._trackers.next_deadline()
        if due is not None and due <= now:
            self._trackers.advance(now)
        for effect in self._trackers.take_effects():
            if isinstance(effect, SendDatagram):
                self._udp.send(effect)
            elif isinstance(effect, Resolve):
                self._resolver.resolve(effect)
        for ticket, answer in self._trackers.take_answers():
            future = self._answers.pop(ticket)
            if not future.done():  # else nobody waits any more
                future.set_result(answer)
        return self._trackers.next_deadline()
