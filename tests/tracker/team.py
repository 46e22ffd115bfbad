"""The workers of one tracker without processes: what they say to each other goes by hand."""

from random import Random
from typing import TypeVar

from bittern.tracker.colleagues import Colleagues, Errand, home_of
from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.questions import Clerk
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from bittern.tracker.window import Audience, Window
from bittern.wire.http_request import Answer, Request
from bittern.wire.tracker_udp_server import CONNECT_REQUEST

T = TypeVar("T")


class Worker:
    """One of them."""

    def __init__(self, index: int, count: int, policy: Policy) -> None:
        settings = TrackerSettings()
        self.registry = Registry(0.0, settings.life_seconds, settings.max_peers, Random(index).random)
        self.counters = Counters()
        clerk = Clerk(self.registry, self.counters)
        self.colleagues = Colleagues(index, count, clerk.answer, lambda: None)
        ids = ConnectionIds(bytes(32))
        self.udp = UdpFront(self.registry, policy, ids, settings, self.counters, self.colleagues)
        http = HttpFront(self.registry, policy, settings, self.counters, self.colleagues)
        self.window = Window(http, clerk, Audience.ALL, 0.0, self.colleagues)


class Team:
    """All of them."""

    def __init__(self, count: int, policy: Policy | None = None) -> None:
        self.workers = [Worker(index, count, policy or Policy()) for index in range(count)]

    def home(self, info_hash: bytes) -> Worker:
        """Who has a swarm."""
        return self.workers[home_of(info_hash, len(self.workers))]

    def deliver(self) -> None:
        """Carry what they say until they are silent."""
        busy = True
        while busy:
            busy = False
            for worker in self.workers:
                for to, datagrams in worker.colleagues.take_unsent().items():
                    for datagram in datagrams:
                        self.workers[to].colleagues.received(bytes(datagram))
                        busy = True

    def done(self, answer: T | Errand[T]) -> T:
        """The answer, when all has been said that it needs."""
        if not isinstance(answer, Errand):
            return answer
        found: list[T] = []
        answer(found.append)
        self.deliver()
        (only,) = found
        return only

    def http(self, worker: int, target: str, host: bytes) -> Answer:
        """Ask one of them by HTTP."""
        request = Request("GET", target, keep_alive=True)
        return self.done(self.workers[worker].window.answer(request, host, 0.0))

    def udp(self, worker: Worker, body: bytes, host: bytes) -> bytes | None:
        """Ask one of them by UDP: what comes behind the connection id, which another has given."""
        given = self.done(self.workers[0].udp.answer(CONNECT_REQUEST + bytes(8), host, 0.0))
        assert given is not None
        return self.done(worker.udp.answer(given[8:] + body, host, 0.0))
