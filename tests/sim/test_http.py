from random import Random

import pytest

from bittern.engine.effects import HttpGet
from bittern.sim.host import Host
from bittern.sim.http import ROUND_TRIP_SECONDS, Reply, SimHttp, Web
from bittern.sim.network import Network
from bittern.sim.world import World


class Browser:
    """Asks one site of the web and keeps what came of it, with the times."""

    def __init__(self, reply: Reply | None) -> None:
        self.world = World(Random)
        self.host = Network(self.world).host("ann")
        self.asked: list[str] = []
        self.answers: list[tuple[int, int, bytes]] = []
        self.failures: list[tuple[int, str]] = []
        self.at = -1.0
        web = Web()

        def site(host: Host, url: str) -> Reply | None:
            self.asked.append(f"{host.name} {url}")
            return reply

        web.sites["site.sim:80"] = site
        self.http = SimHttp(web, self.host, self)

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        self.answers.append((ticket, status, body))
        self.at = now

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        self.failures.append((ticket, reason))
        self.at = now

    def get(self, url: str = "http://site.sim:80/file?x=1") -> None:
        self.http.get(HttpGet(5, 1, url, url, max_bytes=10, timeout_seconds=15.0))
        self.world.run(60.0)


def test_an_answer_comes_after_a_round_trip() -> None:
    browser = Browser(Reply(200, b"0123456789"))
    browser.get()
    assert browser.asked == ["ann http://site.sim:80/file?x=1"]
    assert browser.answers == [(5, 200, b"0123456789")]
    assert browser.at == pytest.approx(ROUND_TRIP_SECONDS)


def test_a_site_that_is_not_there_refuses() -> None:
    browser = Browser(None)
    browser.get("http://other.sim/")
    assert browser.failures == [(5, "connection refused")]
    assert browser.at == pytest.approx(ROUND_TRIP_SECONDS)


def test_a_site_that_does_not_answer_costs_the_whole_time() -> None:
    browser = Browser(None)
    browser.get()
    assert browser.failures == [(5, "no answer in 15 s")]
    assert browser.at == pytest.approx(15.0)


def test_an_answer_longer_than_allowed_is_a_failure() -> None:
    browser = Browser(Reply(200, b"0123456789a"))
    browser.get()
    assert browser.failures == [(5, "more than 10 bytes")]


def test_a_host_that_lost_power_hears_nothing() -> None:
    browser = Browser(Reply(200, b""))
    browser.world.at(ROUND_TRIP_SECONDS * 0.75, lambda: browser.host.network.power_off(browser.host))
    browser.get()
    assert browser.asked
    assert not browser.answers
    assert not browser.failures
