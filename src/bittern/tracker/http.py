"""The HTTP front (BEP 3, 7, 23, 24, 31, 48): one request in, one answer out."""

from bittern.base.errors import TrackerError
from bittern.wire.http_request import Answer, Request
from bittern.wire.tracker_http_server import announced, parse_announce, parse_scrape, refused, scraped

from .counters import Counters
from .policy import Policy, too_many
from .registry import Registry
from .settings import TrackerSettings, peers_wanted

_NOT_FOUND = Answer(b"not found\n", 404)
_NOT_ALLOWED = Answer(b"only GET\n", 405, fields="Allow: GET, HEAD\r\n")
_NOBODY = bytes(4), bytes(16)


class HttpFront:
    """Answers announces and scrapes.

    Args:
        registry: the swarms.
        policy: who is served.
        settings: how to behave.
        counters: told of each answer.
    """

    def __init__(self, registry: Registry, policy: Policy, settings: TrackerSettings, counters: Counters) -> None:
        self._registry = registry
        self._policy = policy
        self._interval = settings.interval_seconds
        self._trust_ip = settings.trust_ip
        self._counters = counters.http

    def answer(self, request: Request, host: bytes, now: float) -> Answer:
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
                return Answer(self._announce(request.target, query, host))
            return Answer(self._scrape(request.target, query))
        except TrackerError as error:
            self._counters.refused += 1
            return Answer(refused(error))

    def _announce(self, target: str, query: str, host: bytes) -> bytes:
        said = parse_announce(query)
        if self._policy.private:
            self._policy.check(said.info_hash, target)
        where = host
        if self._trust_ip:
            where = next((ip for ip in said.ip if len(ip) == len(host) and ip not in _NOBODY), host)
        seeds, leechers, peers = self._registry.announce(
            said.info_hash, where + said.port.to_bytes(2), said.left == 0, said.event, peers_wanted(said.numwant)
        )
        self._counters.announces += 1
        return announced(self._interval, seeds, leechers, peers, host, compact=said.compact)

    def _scrape(self, target: str, query: str) -> bytes:
        hashes = parse_scrape(query)
        if self._policy.private:
            for info_hash in hashes:
                self._policy.check(info_hash, target)
        self._counters.scrapes += 1
        return scraped((info_hash, self._registry.scrape(info_hash)) for info_hash in hashes)
