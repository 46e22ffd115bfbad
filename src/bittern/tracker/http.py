"""The HTTP front (BEP 3, 7, 23, 24, 31, 48): one request in, one answer out."""

from collections.abc import Sequence
from typing import TypeAlias

from bittern.base.errors import TrackerError
from bittern.wire.http_request import Answer, Request
from bittern.wire.tracker_http_server import Announce, announced, parse_announce, parse_scrape, refused, scraped

from . import questions
from .colleagues import Colleagues, Errand, home_of
from .counters import Counters
from .policy import Policy, too_many
from .registry import Registry
from .settings import TrackerSettings, peers_wanted

_NOT_FOUND = Answer(b"not found\n", 404)
_NOT_ALLOWED = Answer(b"only GET\n", 405, fields="Allow: GET, HEAD\r\n")
_NOBODY = bytes(4), bytes(16)
_BUSY = Answer(refused(TrackerError("busy, come again", 60.0)))

Reply: TypeAlias = Answer | Errand[Answer]
"""An answer, or what has to be done for it first."""


class HttpFront:
    """Answers announces and scrapes.

    Args:
        registry: the swarms.
        policy: who is served.
        settings: how to behave.
        counters: told of each answer.
        colleagues: those who are home to swarms that are not in `registry`.
    """

    def __init__(
        self,
        registry: Registry,
        policy: Policy,
        settings: TrackerSettings,
        counters: Counters,
        colleagues: Colleagues | None = None,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._interval = settings.interval_seconds
        self._trust_ip = settings.trust_ip
        self._counters = counters.http
        self._colleagues = colleagues

    def answer(self, request: Request, host: bytes, now: float) -> Reply:
        """What `request` from the packed address `host` (4 or 16 bytes) is answered.

        A refusal is an answer of status 200, whose body says why: clients read no other.
        """
        if request.method not in ("GET", "HEAD"):
            self._counters.dropped += 1
            return _NOT_ALLOWED
        path, _, query = request.target.partition("?")
        what = path.rpartition("/")[2]
        if what not in ("announce", "scrape", "announce.php", "scrape.php"):
            self._counters.dropped += 1
            return _NOT_FOUND
        try:
            if not self._policy.within_rate(host, now):
                raise too_many()
            if what.startswith("announce"):
                return self._announce(request.target, query, host)
            return self._scrape(request.target, query)
        except TrackerError as error:
            self._counters.refused += 1
            return Answer(refused(error))

    def _announce(self, target: str, query: str, host: bytes) -> Reply:
        said = parse_announce(query)
        if self._policy.private:
            self._policy.check(said.info_hash, target)
        where = host
        if self._trust_ip:
            where = next((ip for ip in said.ip if len(ip) == len(host) and ip not in _NOBODY), host)
        asked = (
            said.info_hash,
            where + said.port.to_bytes(2),
            said.left == 0,
            said.event,
            peers_wanted(said.numwant),
        )
        colleagues = self._colleagues
        if colleagues is not None and (home := home_of(said.info_hash, colleagues.count)) != colleagues.index:

            def finish(replies: Sequence[bytes]) -> Answer:
                return self._announced(said, host, questions.announced(replies[0]))

            return colleagues.errand([(home, questions.ask_announce(*asked))], finish, _BUSY)
        return self._announced(said, host, self._registry.announce(*asked))

    def _announced(self, said: Announce, host: bytes, found: tuple[int, int, bytes]) -> Answer:
        self._counters.announces += 1
        return Answer(announced(self._interval, *found, host, compact=said.compact))

    def _scrape(self, target: str, query: str) -> Reply:
        hashes = parse_scrape(query)
        if self._policy.private:
            for info_hash in hashes:
                self._policy.check(info_hash, target)
        self._counters.scrapes += 1

        def finish(counts: Sequence[tuple[int, int, int]]) -> Answer:
            return Answer(scraped(zip(hashes, counts, strict=True)))

        return questions.scrape(hashes, self._registry, self._colleagues, finish, _BUSY)
