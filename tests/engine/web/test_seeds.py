"""Whole downloads from web servers that are good, slow, broken or lying, in the simulator."""

from collections.abc import Callable
from functools import partial as bound
from math import inf
from random import Random
from urllib.parse import quote

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.ip_ranges import IpRanges
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.members import FILTERED
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import TorrentState
from bittern.sim.content import Content, make_content, make_content_files, make_content_v2
from bittern.sim.host import Cut
from bittern.sim.network import PORT
from bittern.sim.world import World
from tests.engine.web.rig import MIB, FileServer, Reply, Request, Stage, joined_files, partial

SIZES = (100_000, 1, 300_000, 0, 16384, 65536, 7)
MAKERS: dict[str, Callable[[World], Content]] = {
    "one file": bound(make_content, size=MIB - 5),
    "files joined": bound(joined_files, sizes=SIZES, piece_size=65536),
    "small odd pieces": bound(joined_files, sizes=SIZES, piece_size=10_000),
    "long pieces": bound(make_content, size=5 * MIB + 3, piece_size=2 * MIB),
    "pads": bound(make_content_files, name="album", sizes=(100_000, 1, 300_000, 65536), piece_size=65536),
    "v2": bound(make_content_v2, sizes=(100_000, 20, 300_000, 65536)),
    "v2, one file": bound(make_content_v2, sizes=(300_000,)),
    "hybrid": bound(make_content_v2, sizes=(100_000, 20, 300_000, 65536), hybrid=True),
}


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "whole files only"])
@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_web_seed_alone_is_enough(kind: str, *, ranges: bool) -> None:
    """Byte ranges are joined over file borders; every byte is asked for once."""
    stage = Stage()
    content = MAKERS[kind](stage.world)
    server = stage.server(content, ranges=ranges)
    torrent = stage.get(content)
    assert stage.run(torrent)
    assert torrent.downloaded == content.info.total_size
    assert stage.failures == []
    paths = [request.path for request in server.requests]
    assert not any("pad" in path for path in paths)
    stage.waits(5.0)
    assert torrent.web.busy is False
    if not ranges:
        assert len(paths) == len(set(paths))


@pytest.mark.parametrize("cut", list(Cut))
def test_it_does_not_matter_how_the_bytes_are_cut(cut: Cut) -> None:
    stage = Stage(seed=3)
    content = joined_files(stage.world, (20_000, 1, 30_000), 16384)
    server = stage.server(content)
    server.host.cut = stage.client.host.cut = cut
    assert stage.run(stage.get(content))


@pytest.mark.parametrize("cut", [Cut.WHOLE, Cut.RANDOM])
def test_chunked_answers_are_put_together(cut: Cut) -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.host.cut = stage.client.host.cut = cut

    def chunked(request: Request) -> Reply:
        first, last = request.span or (0, len(content.data) - 1)
        body = content.data[first : last + 1]
        step = 7777
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        chunks = b"".join(b"%x;name=value\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        head = b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes %d-%d/*\r\n\r\n"
        return Reply(head % (first, last) + chunks + b"0\r\nTrailer: 1\r\n\r\n")

    server.react = chunked
    assert stage.run(stage.get(content))
    assert stage.failures == []


def test_many_small_files_come_over_one_connection() -> None:
    """Requests are sent ahead where the server keeps its connection."""
    stage = Stage()
    content = joined_files(stage.world, [5000] * 200, 65536)
    server = stage.server(content)
    server.host.latency = stage.client.host.latency = 0.1
    torrent = stage.get(content)
    assert stage.run(torrent, 200 * 0.4 / 3)
    assert server.connections <= 2
    assert len(server.requests) == 200


def test_a_server_that_ends_connections_after_some_answers_is_no_worse() -> None:
    stage = Stage()
    content = joined_files(stage.world, [5000] * 40, 65536)
    server = stage.server(content)
    seen: list[Request] = []

    def close_each_third(request: Request) -> Reply | None:
        seen.append(request)
        if len(seen) % 3:
            return None
        return _whole(server.files[request.path])

    server.react = close_each_third
    assert stage.run(stage.get(content), 60)
    assert stage.failures == []


def _whole(data: bytes) -> Reply:
    return Reply(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data, closes=True)


def test_what_is_not_wanted_is_not_asked_for() -> None:
    stage = Stage()
    content = make_content_files(stage.world, "album", (200_000, 200_000, 200_000), 65536)
    server = stage.server(content)
    torrent = stage.client.leech(content)
    torrent.prioritize([4, 0, 0, 0, 4], stage.world.now)
    torrent.web.add(["http://mirror/"])
    stage.client.host.touch()
    assert stage.run(torrent)
    assert {request.path for request in server.requests} == {"/album/0000.bin", "/album/0002.bin"}


def test_what_becomes_unwanted_in_between_stops() -> None:
    stage = Stage()
    content = make_content_files(stage.world, "album", (20 * 65536, 65536), 65536)
    stage.server(content, up=100_000)
    torrent = stage.get(content)
    stage.waits(3.0)
    torrent.prioritize([0, 4], stage.world.now)
    stage.client.host.touch()
    assert stage.run(torrent, 60)
    assert torrent.downloaded < 10 * 65536


def test_who_lies_is_banned_and_another_brings_the_rest() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    liar, honest = stage.server(content, "liar"), stage.server(content, "honest", up=500_000)
    liar.files = {path: bytes(len(data)) for path, data in liar.files.items()}
    torrent = stage.get(content, "http://liar/", "http://honest/")
    assert stage.run(torrent)
    [told] = stage.failures
    assert (told.url, told.retry_seconds) == ("http://liar/", inf)
    count = len(liar.requests)
    stage.waits(1000)
    assert len(liar.requests) == count
    assert honest.requests
    assert torrent.web.seeds[-1].banned
    assert torrent.web.liars == ("http://liar/",)


def test_a_lie_in_one_piece_is_found_out_beside_honest_peers() -> None:
    """What peers bring is right: nobody else is blamed."""
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    liar = stage.server(content)
    [path] = liar.files
    data = bytearray(content.data)
    data[MIB] ^= 1
    liar.files[path] = bytes(data)
    seed = stage.process("seed")
    seed.seed(content)
    seed.host.uplink.rate = 400_000
    torrent = stage.get(content)
    stage.client.know(torrent, seed)
    assert stage.run(torrent)
    assert [told.retry_seconds for told in stage.failures] == [inf]
    assert len(torrent.peers) <= 1
    assert not torrent.peerbook.banned(seed.host.address.host, stage.world.now)


def test_an_answer_that_breaks_off_is_gone_on_with() -> None:
    stage = Stage()
    content = make_content(stage.world, size=8 * MIB, piece_size=MIB)
    server = stage.server(content)
    whole = partial

    def cut_off(request: Request) -> Reply | None:
        first, last = request.span or (0, len(content.data) - 1)
        reply = whole(content.data, first, last)
        return Reply(reply.data[: 3 * MIB // 2], closes=True) if last - first > 3 * MIB // 2 else None

    server.react = cut_off
    torrent = stage.get(content)
    assert stage.run(torrent, 120)
    assert torrent.downloaded < 9 * MIB
    assert all("broke off" in told.reason and told.retry_seconds < 7 for told in stage.failures)


def test_a_silent_server_holds_up_nobody() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    silent = stage.server(content, "silent")
    silent.react = lambda _: Reply(b"")
    seed = stage.process("seed")
    seed.seed(content)
    torrent = stage.get(content, "http://silent/")
    stage.client.know(torrent, seed)
    assert stage.run(torrent, 60)


def test_a_silent_server_is_given_up_and_asked_again_later() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.react = lambda _: Reply(b"") if stage.world.now < 20 else None
    torrent = stage.get(content)
    stage.waits(40)
    assert ["silent" in told.reason for told in stage.failures] == [True]
    assert stage.run(torrent, 60)


def test_a_server_that_can_not_be_reached_is_tried_less_and_less_often() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    torrent = stage.get(content, "http://nowhere/", "ftp://mirror/", "http://[bad/")
    assert not stage.run(torrent, 3600)
    waits = [told.retry_seconds for told in stage.failures]
    assert 5 <= len(waits) <= 12
    assert waits[0] < 7 < waits[-1] <= 2250
    assert [seed.url for seed in torrent.web.seeds.values()] == ["http://nowhere/"]


def test_a_server_that_is_busy_is_left_alone_for_as_long_as_it_asks() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    busy = Reply(b"HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n")
    server.react = lambda _: busy if stage.world.now < 50 else None
    torrent = stage.get(content)
    stage.waits(99)
    assert len(server.requests) == 1
    assert stage.run(torrent, 10)


@pytest.mark.parametrize("status", [b"404 Not Found", b"403 Forbidden", b"410 Gone", b"416 Range Not Satisfiable"])
def test_a_file_that_one_server_lacks_comes_from_another(status: bytes) -> None:
    stage = Stage()
    content = make_content_files(stage.world, "album", (200_000, 200_000, 200_000), 65536)
    poor, rich = stage.server(content, "poor"), stage.server(content, "rich", up=20_000)
    refusal = Reply(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
    poor.react = lambda request: refusal if request.path.endswith("1.bin") else None
    torrent = stage.get(content, "http://poor/", "http://rich/")
    assert stage.run(torrent)
    assert sum(request.path.endswith("1.bin") for request in poor.requests) == 1
    assert rich.requests
    assert [told.retry_seconds for told in stage.failures] == [0.0]


def test_a_file_that_a_server_gets_later_is_found_there() -> None:
    """A mirror that is being filled, and nobody else."""
    stage = Stage()
    content = make_content_files(stage.world, "album", (200_000, 200_000, 200_000), 65536)
    server = stage.server(content)
    late = server.files.pop("/album/0001.bin")
    torrent = stage.get(content)
    assert not stage.run(torrent, 600)
    assert sum(request.path.endswith("1.bin") for request in server.requests) == 1
    server.files["/album/0001.bin"] = late
    assert stage.run(torrent, 1800)


def test_a_server_with_nothing_of_the_torrent_is_asked_again_much_later() -> None:
    stage = Stage()
    content = make_content_files(stage.world, "album", (200_000, 200_000), 65536)
    server = stage.server(content)
    server.files.clear()
    torrent = stage.get(content)
    assert not stage.run(torrent, 1200)
    assert len(server.requests) == 2


def test_a_file_of_another_length_is_not_taken() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.files = {path: data + b"more" for path, data in server.files.items()}
    torrent = stage.get(content)
    assert not stage.run(torrent, 60)
    assert torrent.downloaded == 0
    assert ["another file" in told.reason for told in stage.failures] == [True]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 206 X\r\nContent-Range: bytes 1-100/1048576\r\nContent-Length: 100\r\n\r\n" + bytes(100),
        b"HTTP/1.1 206 X\r\nContent-Length: 100\r\n\r\n" + bytes(100),
        b"HTTP/1.1 206 X\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x",
        b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n" + bytes(100),
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 X\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nlong\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 200 X\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 302 X\r\nLocation: ftp://elsewhere/x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 X\r\nLocation: http://mirror/content?again\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(15),
)
def test_answers_that_are_none_are_offences_and_three_are_the_end(reply: bytes) -> None:
    """A wrong range, a coding that was not accepted, no HTTP, a redirect that may not be followed."""
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.react = lambda _: Reply(reply)
    torrent = stage.get(content)
    assert not stage.run(torrent, 600)
    assert [told.retry_seconds for told in stage.failures][2:] == [inf]
    assert torrent.downloaded < MIB // 2
    assert 3 <= len(server.requests) <= 6


def test_redirects_are_followed_to_other_servers() -> None:
    stage = Stage()
    content = joined_files(stage.world, [50_000] * 4, 16384)
    here, there = stage.server(content, "here"), stage.server(content, "there")
    here.react = lambda request: Reply(
        b"HTTP/1.1 302 Found\r\nLocation: http://there%b\r\nContent-Length: 5\r\n\r\nthere"
        % quote(request.path).encode()
    )
    torrent = stage.get(content, "http://user:secret@here/")
    assert stage.run(torrent)
    assert stage.failures == []
    assert len(here.requests) == 4
    assert {request.host for request in there.requests} == {"there"}


@pytest.mark.parametrize("seed", range(4))
def test_links_that_expire_are_asked_for_again(seed: int) -> None:
    """Stores sign links for minutes: whoever gave the first gives another one, to each connection that needs it."""
    stage = Stage(seed=seed)
    content = make_content(stage.world, size=24 * MIB)
    here, there = stage.server(content, "here"), stage.server(content, "there", up=MIB)
    signed: dict[str, float] = {}

    def sign(_: Request) -> Reply:
        path = f"/{len(signed)}/content"
        signed[path], there.files[path] = stage.world.now, content.data
        return Reply(b"HTTP/1.1 302 X\r\nLocation: http://there%b\r\nContent-Length: 0\r\n\r\n" % path.encode())

    def give(request: Request) -> Reply | None:
        good = stage.world.now - signed[request.path] < 3
        return None if good else Reply(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    here.react, there.react = sign, give
    torrent = stage.get(content, "http://here/content")
    assert stage.run(torrent, 60)
    assert len(signed) >= 3
    assert stage.failures == []


def test_redirects_in_a_circle_end() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    server.react = lambda _: Reply(b"HTTP/1.1 301 X\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n")
    torrent = stage.get(content)
    assert not stage.run(torrent, 600)
    assert "redirects" in stage.failures[0].reason
    assert stage.failures[-1].retry_seconds == inf


@pytest.mark.parametrize("rate", [7_001.3, 99_999.7, 1_000_000.1])
def test_a_limit_holds_for_web_seeds_too(rate: float) -> None:
    stage = Stage(EngineSettings(listen_port=PORT, down_bytes_per_second=rate))
    content = make_content(stage.world, size=int(20 * rate))
    stage.server(content)
    torrent = stage.get(content)
    stage.waits(10.0)
    assert torrent.downloaded == pytest.approx(10 * rate, rel=0.15, abs=20_000)
    assert stage.run(torrent, 15)
    assert stage.failures == []


def test_a_slow_disk_makes_the_server_wait_and_memory_is_bounded() -> None:
    settings = EngineSettings(listen_port=PORT, buffer_bytes=4 * MIB, disk_queue_bytes=2 * MIB)
    stage = Stage(settings)
    content = make_content(stage.world, size=40 * MIB, piece_size=MIB)
    server = stage.server(content)
    stage.client.disk.latency = 1.0
    torrent = stage.get(content)
    for _ in range(10):
        stage.waits(1.0)
        assert torrent.download is not None
        assert torrent.download.assembly.slabs.used <= 4
    assert stage.run(torrent, 200)
    assert stage.failures == []
    assert server.connections <= 2


def test_peers_and_a_web_seed_share_the_work() -> None:
    """Nothing comes twice but at the very end, and the server is asked for long runs."""
    stage = Stage()
    content = make_content(stage.world, size=32 * MIB, piece_size=256 * 1024)
    server = stage.server(content, up=1.0 * MIB)
    seed = stage.process("seed")
    seed.seed(content)
    seed.host.uplink.rate = 1.0 * MIB
    torrent = stage.get(content)
    stage.client.know(torrent, seed)
    assert stage.run(torrent, 25)
    by_web = torrent.web.arrived
    assert 10 * MIB < by_web < 22 * MIB
    assert torrent.downloaded < 1.03 * 32 * MIB
    assert server.asked_bytes() / len(server.requests) > MIB


def test_peers_keep_the_rare_pieces() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB, piece_size=65536)
    server = stage.server(content, up=2.0 * MIB)
    poor, rare = stage.process("poor"), stage.process("rare")
    poor.hold(content, Bitfield(64, range(32)))
    rare.hold(content, Bitfield(64, range(40)))
    for peer in (poor, rare):
        peer.host.uplink.rate = 200_000
    torrent = stage.client.leech(content)
    stage.client.know(torrent, poor, rare)
    stage.waits(1.0)
    torrent.web.add(["http://mirror/"])
    stage.client.host.touch()
    stage.waits(0.5)
    assert server.requests[0].span is not None
    assert server.requests[0].span[0] >= 40 * 65536
    assert stage.run(torrent, 60)


def test_what_a_peer_left_half_done_is_finished() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB, piece_size=MIB)
    seed = stage.process("seed")
    seed.seed(content)
    seed.host.uplink.rate = 100_000
    server = stage.server(content)
    torrent = stage.client.leech(content)
    stage.client.know(torrent, seed)
    stage.waits(4.0)
    seed.stop()
    stage.waits(1.0)
    came = torrent.downloaded
    assert 0 < came < MIB
    torrent.web.add(["http://mirror/"])
    stage.client.host.touch()
    assert stage.run(torrent)
    assert server.asked_bytes() <= MIB - came + 65536


def test_a_pause_ends_the_connection_and_a_resume_goes_on() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    server = stage.server(content, up=MIB)
    torrent = stage.get(content)
    stage.waits(1.5)
    torrent.pause(stage.world.now)
    stage.client.host.touch()
    stage.waits(1.0)
    came, asked = torrent.downloaded, len(server.requests)
    stage.waits(10.0)
    assert (torrent.downloaded, len(server.requests)) == (came, asked)
    assert 0 < came < 4 * MIB
    assert stage.client.host.links == {}
    torrent.resume(stage.world.now)
    stage.client.host.touch()
    assert stage.run(torrent, 10)
    assert torrent.downloaded < 4 * MIB + 65536


def test_a_disk_that_fails_stops_it_and_a_repair_goes_on() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    stage.server(content, up=MIB)
    torrent = stage.get(content)
    stage.waits(1.0)
    stage.client.disk.faults.broken = StorageError.Kind.DISK_FULL
    stage.waits(3.0)
    assert torrent.state is TorrentState.FAILED
    assert not torrent.web.busy
    stage.client.repair()
    assert stage.run(torrent, 30)


def test_connections_are_bounded() -> None:
    stage = Stage(EngineSettings(listen_port=PORT, max_web_connections=3))
    content = make_content(stage.world, size=64 * MIB, piece_size=MIB)
    servers = [stage.server(content, f"mirror{number}", up=200_000) for number in range(5)]
    torrent = stage.get(content, *(f"http://mirror{number}/" for number in range(5)))
    for _ in range(60):
        stage.waits(0.5)
        assert len(stage.client.host.links) <= 3
    assert torrent.web.connected_seeds <= 3
    assert sum(server.connections for server in servers) >= 3


def test_places_are_those_of_all_connections() -> None:
    """With one place for all torrents, web seeds take turns, and leave nothing behind."""
    stage = Stage(EngineSettings(listen_port=PORT, max_connections=1))
    contents = [make_content(stage.world, f"c{number}", size=8 * MIB, piece_size=MIB) for number in range(2)]
    server = stage.server(contents[0], up=4.0 * MIB)
    server.files["/c1"] = contents[1].data
    torrents = [stage.get(content) for content in contents]
    for _ in range(20):
        stage.waits(0.5)
        assert len(stage.client.host.links) <= 1
    assert len(stage.client.completed) == 2
    assert [torrent.web.busy for torrent in torrents] == [False, False]
    assert stage.client.core._shared.places.taken == 0


def test_without_connections_there_are_no_web_seeds() -> None:
    stage = Stage(EngineSettings(listen_port=PORT, max_web_connections=0))
    content = make_content(stage.world, size=MIB)
    server = stage.server(content)
    assert not stage.run(stage.get(content), 60)
    assert server.connections == 0


def test_a_slow_web_seed_leaves_the_end_to_peers() -> None:
    """In the end idle peers bring what the server would take minutes for."""
    stage = Stage()
    content = make_content(stage.world, size=8 * MIB, piece_size=65536)
    stage.server(content, up=5_000)
    seed = stage.process("seed")
    seed.seed(content)
    seed.host.uplink.rate = 1.0 * MIB
    torrent = stage.client.leech(content)
    torrent.add_candidates([seed.host.address], Source.MANUAL, 0.0)
    torrent.web.add(["http://mirror/"])
    stage.client.host.touch()
    assert stage.run(torrent, 30)


@pytest.mark.parametrize("up", [0.0, 2_000.0], ids=["hangs", "is slow"])
def test_a_mirror_that_gives_little_leaves_its_pieces_to_one_that_waits(up: float) -> None:
    """It was asked for all, as the first that answered the phone."""
    stage = Stage()
    content = make_content(stage.world, size=3 * MIB, piece_size=65536)
    bad, good = stage.server(content, "bad", up=up or inf), stage.server(content, "good", up=1.0 * MIB)
    if not up:
        bad.react = lambda _: Reply(b"")
    torrent = stage.get(content, "http://bad/", "http://good/")
    stage.waits(0.5)
    assert good.requests == []
    assert stage.run(torrent, 12)
    assert stage.failures == []
    assert torrent.downloaded < 1.1 * 3 * MIB


def test_two_good_mirrors_share_what_is_left_and_are_not_taken_for_slow() -> None:
    stage = Stage()
    content = make_content(stage.world, size=60 * MIB, piece_size=MIB)
    servers = [stage.server(content, name, up=3.0 * MIB) for name in ("one", "two")]
    torrent = stage.get(content, "http://one/", "http://two/")
    assert stage.run(torrent, 14)
    assert stage.failures == []
    assert torrent.downloaded < 1.05 * 60 * MIB
    assert all(seed.arrived > 20 * MIB for seed in torrent.web.seeds.values())
    assert sum(server.connections for server in servers) <= 8


@pytest.mark.parametrize("seed", range(3))
def test_with_little_memory_nobody_pushes_out_what_another_is_bringing(seed: int) -> None:
    """Two buffers, five half pieces, and as many who would bring them: they take turns."""
    stage = Stage(EngineSettings(listen_port=PORT, buffer_bytes=2 * MIB, disk_queue_bytes=MIB), seed)
    content = make_content(stage.world, size=5 * MIB + 3, piece_size=2 * MIB)
    names = [f"mirror{number}" for number in range(3)]
    for name in names:
        stage.server(content, name, up=50_000.0)
    torrent = stage.get(content, *(f"http://{name}/" for name in names))
    for number in range(2):
        peer = stage.process(f"peer{number}")
        peer.seed(content)
        peer.host.uplink.rate = 20_000
        stage.client.know(torrent, peer)
    assert stage.run(torrent, 200)
    assert torrent.downloaded < 1.3 * 5 * MIB


def test_who_lied_before_is_not_asked_whenever_it_is_named() -> None:
    stage = Stage()
    content = make_content(stage.world, size=MIB)
    known, named = stage.server(content, "known"), stage.server(content, "named")
    torrent = stage.get(content, "http://known/")
    torrent.web.shun(["http://known/", "http://named/"])
    torrent.web.add(["http://named/"])
    assert not stage.run(torrent, 60)
    assert known.requests == named.requests == []
    assert all(seed.banned for seed in torrent.web.seeds.values())
    assert torrent.web.liars == ("http://known/", "http://named/")


def test_a_torrent_that_is_removed_leaves_no_connection() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    stage.server(content, up=MIB)
    for moment in (0.001, 0.02, 0.05, 1.0):
        torrent = stage.get(content)
        stage.waits(moment)
        stage.client.core.remove(torrent, stage.world.now)
        stage.client.host.touch()
        stage.waits(1.0)
        assert stage.client.host.links == {}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_servers_do_the_download_is_right_and_ends(seed: int) -> None:
    """Answers are cut, lost, refused, sent elsewhere, or of whole files, at random, and peers come and go."""
    settings = EngineSettings(listen_port=PORT, buffer_bytes=2 * MIB, disk_queue_bytes=MIB)
    stage = Stage(settings, seed)
    rng = Random(seed)
    maker = rng.choice(list(MAKERS.values()))
    content = maker(stage.world)
    stage.client.disk.latency = rng.choice([0.0, 0.2])
    servers = [stage.server(content, f"m{number}", up=rng.choice([50_000.0, inf])) for number in range(3)]
    for server in servers:
        server.host.cut = Cut.RANDOM
        server.react = bound(misbehave, server, rng, stage)
    torrent = stage.get(content, *(f"http://m{number}/" for number in range(3)))
    for number in range(2):
        peer = stage.process(f"peer{number}")
        peer.seed(content)
        peer.host.uplink.rate = 20_000
        stage.client.know(torrent, peer)
        stage.world.after(rng.uniform(0, 20), peer.stop)
    assert stage.run(torrent, 4000)
    assert torrent.download is not None
    assert torrent.download.assembly.slabs.used == 0
    stage.waits(10)
    assert stage.client.core._shared.places.taken == len(torrent.peers) + torrent._members.dialing


def misbehave(server: FileServer, rng: Random, stage: Stage, request: Request) -> Reply | None:
    """For ten minutes; then the server is well."""
    kind = rng.randrange(12) if stage.world.now < 600 else 11
    data = server.files[request.path]
    whole = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    right = partial(data, *request.span) if request.span else whole
    match kind:
        case 0:
            return Reply(right.data[: rng.randrange(len(right.data))], closes=True)
        case 1:
            return Reply(b"", closes=True)
        case 2:
            return Reply(b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno")
        case 3:
            return Reply(right.data, closes=True)
        case 4:
            return whole
        case 5:
            there = rng.choice(["m0", "m1", "m2"])
            head = "HTTP/1.1 302 X\r\nLocation: http://%s%s\r\nContent-Length: 0\r\n\r\n"
            return Reply((head % (there, quote(request.path))).encode())
    return None


def test_when_a_filter_is_loaded_that_blocks_its_address_a_web_seed_is_left_and_not_asked_again() -> None:
    stage = Stage()
    content = make_content(stage.world, size=4 * MIB)
    server = stage.server(content, up=500_000.0)
    torrent = stage.get(content)
    stage.waits(2.0)
    core = stage.client.core
    core.ip_filter.ranges = IpRanges.of([server.host.address.host])
    core.filter_changed(stage.world.now)
    stage.client.host.touch()
    assert not torrent.web.connected_seeds
    asked = len(server.requests)
    stage.waits(120.0)
    assert len(server.requests) == asked
    assert {failure.reason for failure in stage.failures} == {FILTERED}
    core.ip_filter.exempt[torrent.wire_hash] = None
    assert stage.run(torrent, 2000.0)
