import pytest

from bittern.tracker.questions import Clerk
from bittern.tracker.window import Audience, Window
from bittern.wire.http_request import Answer, Request
from tests.tracker.asking import HASH, desk, query
from tests.tracker.team import Team

LOCAL = bytes([127, 0, 0, 1])
LOCAL6 = bytes(15) + b"\x01"
FOREIGN = bytes([192, 0, 2, 1])
FOREIGN6 = bytes([0x20, 0x01, *range(14)])


def ask(audience: Audience, target: str, host: bytes, method: str = "GET", forwarded: str = "") -> Answer:
    at = desk()
    window = Window(at.http, Clerk(at.registry, at.counters), audience, 0.0, proxies=["127.0.0.1", "::1"])
    answer = window.answer(Request(method, target, True, forwarded), host, 1.0)
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("page", ["/", "/stats", "/metrics", "/metrics?x=1"])
def test_pages_are_for_their_audience(page: str) -> None:
    seen = {
        audience: [ask(audience, page, host).status for host in (LOCAL, LOCAL6, FOREIGN, FOREIGN6)]
        for audience in Audience
    }
    assert seen == {
        Audience.NOBODY: [404] * 4,
        Audience.LOCAL: [200, 200, 404, 404],
        Audience.ALL: [200] * 4,
    }


def test_everything_else_is_for_the_front() -> None:
    assert b"8:interval" in ask(Audience.NOBODY, "/announce?" + query(), FOREIGN).body
    assert ask(Audience.ALL, "/statistics", FOREIGN).status == 404
    assert ask(Audience.ALL, "/metrics", FOREIGN, "POST").status == 405


@pytest.mark.parametrize(
    ("host", "forwarded", "external"),
    [
        (LOCAL, "192.0.2.7", bytes([192, 0, 2, 7])),
        (LOCAL6, "::ffff:192.0.2.7", bytes([192, 0, 2, 7])),
        (LOCAL, "2001::1", bytes([0x20, 0x01]) + bytes(13) + b"\1"),
        (LOCAL, "nonsense", LOCAL),
        (FOREIGN, "192.0.2.7", FOREIGN),
    ],
)
def test_only_proxies_of_ours_are_believed(host: bytes, forwarded: str, external: bytes) -> None:
    answer = ask(Audience.ALL, "/announce?" + query(), host, forwarded=forwarded)
    assert b"11:external ip%d:%b" % (len(external), external) in answer.body


def test_who_comes_through_a_proxy_is_not_local() -> None:
    assert ask(Audience.LOCAL, "/metrics", LOCAL, forwarded="192.0.2.7").status == 404
    assert ask(Audience.LOCAL, "/metrics", LOCAL, forwarded="127.0.0.1").status == 200
    assert ask(Audience.LOCAL, "/metrics", LOCAL, forwarded="unknown").status == 404  # it may be anybody
    assert ask(Audience.LOCAL, "/metrics", bytes([127, 0, 0, 2]), forwarded="127.0.0.1").status == 404


def test_one_worker_shows_the_figures_of_all() -> None:
    team = Team(3)
    for number in range(6):
        team.http(number % 3, "/announce?" + query(info_hash=HASH[:3] + bytes((number,)) + HASH[4:]), FOREIGN)
    for worker in range(3):
        lines = team.http(worker, "/metrics", FOREIGN).body.decode().splitlines()
        assert 'bittern_tracker_requests_total{protocol="http",kind="announces"} 6' in lines
        assert 'bittern_tracker_peers{family="ipv4",role="leecher"} 6' in lines
        assert "bittern_tracker_workers 3" in lines
        assert b"<td>6</td>" in team.http(worker, "/", FOREIGN).body


def test_a_worker_that_is_left_alone_says_so() -> None:
    team = Team(2)
    alone = team.workers[0]
    alone.colleagues.advance(0.0)
    answer = alone.window.answer(Request("GET", "/metrics", keep_alive=True), FOREIGN, 0.0)
    assert not isinstance(answer, Answer)
    found: list[Answer] = []
    answer(found.append)
    for now in (10.0, 20.0):
        alone.colleagues.advance(now)
    assert [each.status for each in found] == [503]
