"""Single connections to web seeds: what is asked over which, and what ends them."""

from math import inf

from bittern.sim.content import make_content
from tests.engine.web.rig import MIB, Reply, Stage, joined_files


def test_what_follows_is_asked_for_over_the_same_connection() -> None:
    stage = Stage()
    content = make_content(stage.world, size=20 * MIB, piece_size=MIB)
    server = stage.server(content, up=4.0 * MIB)
    torrent = stage.get(content)
    assert stage.run(torrent, 10)
    spans = [request.span for request in server.requests if request.span is not None]
    assert server.connections <= 2
    assert spans[0] == (0, 4 * MIB - 1)
    assert sum(last - first + 1 for first, last in spans) == 20 * MIB


def test_a_server_at_home_may_not_send_us_to_what_acts_on_a_query() -> None:
    """Not even to itself, over the connection that is there."""
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.react = lambda _: Reply(b"HTTP/1.1 302 X\r\nLocation: /reboot?now\r\nContent-Length: 0\r\n\r\n")
    torrent = stage.get(content)
    assert not stage.run(torrent, 300)
    assert all(request.path == "/content" for request in server.requests)
    assert "local network" in stage.failures[0].reason
    assert stage.failures[-1].retry_seconds == inf


def test_without_pipelining_one_answer_comes_after_the_other() -> None:
    """A server that ends the connection amid what was asked ahead is asked for one thing at a time from then on."""
    stage = Stage()
    content = joined_files(stage.world, [5000] * 30, 65536)
    server = stage.server(content)
    asked: list[str] = []

    def two_at_most(_: object) -> Reply | None:
        asked.append("")
        if len(asked) % 4 == 3:
            return Reply(b"", closes=True)
        return None

    server.react = two_at_most
    torrent = stage.get(content)
    assert stage.run(torrent, 60)
    assert not torrent.web.seeds[-1].pipelining
    assert stage.failures == []


def test_who_is_slow_keeps_less_to_itself() -> None:
    stage = Stage()
    content = make_content(stage.world, size=8 * MIB, piece_size=65536)
    stage.server(content, up=20_000)
    torrent = stage.get(content)
    stage.waits(15)
    assert torrent.download is not None
    begun = len(torrent.download.assembly)
    stage.waits(15)
    assert len(torrent.download.assembly) < begun / 3
    stage.waits(15)
    assert stage.failures == []
