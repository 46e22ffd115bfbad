"""Trackers that are down, hang, lead in circles or talk nonsense: said clearly, asked again later, never fatal."""

import gzip
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bittern.engine.sources.tracker import PATIENCE_SECONDS
from tests.faults.rigs import program
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import MIB, NAME, Torrent, bencode
from tests.faults.rigs.tracker import Answer, BadTracker, endless, page, silence
from tests.interop.rigs.process import wait_until

DONE_WITHIN = 15
BOMB = gzip.compress(bytes(200 * MIB))
ESCAPES = "go \x1b[31maway\x1b[2J\r\n\x07\x9b now \u202egnirts"


def to_itself(sock_answer: str = "/announce") -> Answer:
    return page(b"", f"Location: {sock_answer}", status="302 Found")


NONSENSE: list[tuple[str, Answer, str]] = [
    ("redirects to itself", to_itself(), "more than 5 redirects"),
    ("redirects to a file", to_itself("file:///etc/passwd"), ""),
    ("redirects to nowhere", to_itself("http://"), ""),
    ("a web page", page(b"<html>404</html>"), "its answer is not bencode"),
    ("nothing", page(b""), "its answer is not bencode"),
    ("a bomb of lists", page(b"d5:peers" + b"l" * 100_000), "its answer is not bencode"),
    ("a list", page(b"l5:helloe"), "its answer is not a dictionary"),
    ("an error", page(b"down", status="500 Internal Server Error"), "HTTP status 500"),
    ("a refusal", page(bencode({"failure reason": "torrent not registered"})), "torrent not registered"),
    ("a refusal with a status", page(bencode({"failure reason": "no"}), status="403 Forbidden"), "no"),
    ("a body without end", endless, "the answer is longer than"),
    ("not HTTP", lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), ""),
    ("the end at once", lambda _: None, ""),
    ("half of what it promised", page(b"d8:interval", "Content-Length: 4000"), ""),
]


def test_trackers_that_make_no_sense_are_named_and_the_download_goes_on(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        honest = stack.enter_context(Proxy(seed, shut=True))
        trackers = [stack.enter_context(BadTracker(answer)) for _, answer, _ in NONSENSE]
        source = torrent.with_trackers(tmp_path, *[tracker.url for tracker in trackers])
        job = stack.enter_context(program.get(source, into, tmp_path / "get", peers=(honest.address,)))
        assert wait_until(lambda: len(job.events("tracker_error")) >= len(trackers), 20), job.lines
        asked = [len(tracker.asked) for tracker in trackers]
        honest.open()
        assert job.ends(DONE_WITHIN) == 0
        assert [len(tracker.asked) for tracker in trackers] == asked
    failures = {event["url"]: event for event in job.events("tracker_error")}
    assert len(failures) == len(job.events("tracker_error"))
    for tracker, (name, _, reason) in zip(trackers, NONSENSE, strict=True):
        said = failures[tracker.url]["reason"]
        assert said, name
        assert reason in said, name
        assert 10 <= failures[tracker.url]["retry_seconds"] <= 20, name
    assert (into / NAME).read_bytes() == torrent.data


def test_a_tracker_that_is_down_is_named_and_asked_again_later(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    with BadTracker(silence) as closed:
        url = closed.url
    with Proxy(seed, shut=True) as honest:
        source = torrent.with_trackers(tmp_path, url)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,), json=False) as job:
            said = job.said("tracker")
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
    assert url in said
    assert "asking again in" in said
    assert (into / NAME).read_bytes() == torrent.data


def test_peers_of_a_tracker_that_works_are_found_behind_one_that_does_not(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    answer = page(bencode({"interval": 1800, "peers": bytes((127, 0, 0, 1)) + seed.to_bytes(2)}))
    with BadTracker(page(b"nonsense")) as bad, BadTracker(answer) as good:
        source = torrent.with_trackers(tmp_path, bad.url, good.url)
        with program.get(source, into, tmp_path / "get") as job:
            assert job.ends(DONE_WITHIN) == 0
    assert (into / NAME).read_bytes() == torrent.data


def test_peers_of_a_tracker_that_works_are_found_soon_behind_two_that_hang(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    answer = page(bencode({"interval": 1800, "peers": bytes((127, 0, 0, 1)) + seed.to_bytes(2)}))
    with (
        BadTracker(silence) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        BadTracker(answer) as good,
    ):
        other.bind(("127.0.0.1", 0))
        source = torrent.with_trackers(tmp_path, one.url, f"udp://127.0.0.1:{other.getsockname()[1]}", good.url)
        with program.get(source, into, tmp_path / "get") as job:
            job.saw("complete", seconds=2 * PATIENCE_SECONDS + 5)
            assert job.ends(10) == 0  # those that hang have five seconds to hear that we leave
    assert (into / NAME).read_bytes() == torrent.data


def test_a_redirect_to_a_tracker_that_works_is_followed(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    answer = page(bencode({"interval": 1800, "peers": bytes((127, 0, 0, 1)) + seed.to_bytes(2)}))
    with BadTracker(answer) as good, BadTracker(to_itself(good.url)) as moved:
        source = torrent.with_trackers(tmp_path, moved.url)
        with program.get(source, into, tmp_path / "get") as job:
            assert job.ends(DONE_WITHIN) == 0
    assert (into / NAME).read_bytes() == torrent.data


def test_peers_that_are_nobody_are_left_alone(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    """Port 0, multicast, broadcast, the unspecified address, and 2,000 that are not there."""
    nobody = bytes((127, 0, 0, 1, 0, 0)) + bytes((224, 0, 0, 1, 1, 1)) + b"\xff" * 6 + bytes(6)
    closed = b"".join(bytes((127, 1, number >> 8, number & 255, 0, 9)) for number in range(2000))
    answer = page(bencode({"interval": 1, "peers": nobody + closed + b"odd"}))
    with BadTracker(answer) as tracker, Proxy(seed, shut=True) as honest:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,)) as job:
            job.saw("tracker")
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
            assert len(tracker.asked) <= 3  # started, completed, stopped: never each second
    assert (into / NAME).read_bytes() == torrent.data


def test_a_refusal_can_not_steer_the_terminal(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    with BadTracker(page(bencode({"failure reason": ESCAPES}))) as tracker, Proxy(seed, shut=True) as honest:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,), json=False) as job:
            said = job.said("tracker")
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
    assert "go " in said
    assert "now" in said
    assert all(character.isprintable() for character in said)
    assert "\u202e" not in said


def test_a_compressed_answer_of_200_megabytes_costs_no_memory(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    with BadTracker(page(BOMB, "Content-Encoding: gzip")) as tracker, Proxy(seed, shut=True) as honest:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,)) as job:
            failed = job.saw("tracker_error")
            peak = job.peak_memory()
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
    assert "longer than" in failed["reason"]
    assert peak < 100 * MIB
    assert (into / NAME).read_bytes() == torrent.data


def test_the_download_goes_on_while_a_tracker_hangs(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    with BadTracker(silence) as tracker, Proxy(seed) as honest:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,)) as job:
            job.saw("complete", seconds=5)
            assert job.ends(10) == 0  # the tracker has five seconds to hear that we leave
    assert tracker.asked
    assert (into / NAME).read_bytes() == torrent.data


def test_a_hanging_tracker_does_not_keep_the_program_from_ending(torrent: Torrent, into: Path, tmp_path: Path) -> None:
    with BadTracker(silence) as tracker:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get") as job:
            job.saw("progress")
            assert wait_until(lambda: bool(tracker.asked), 10)
            began = time.monotonic()
            job.running.interrupt()
            assert job.ends(10) == 7
            assert time.monotonic() - began < 10


def test_a_second_interrupt_ends_the_program_at_once(torrent: Torrent, into: Path, tmp_path: Path) -> None:
    with BadTracker(silence) as tracker:
        source = torrent.with_trackers(tmp_path, tracker.url)
        with program.get(source, into, tmp_path / "get") as job:
            job.saw("progress")
            assert wait_until(lambda: bool(tracker.asked), 10)
            job.running.interrupt()
            job.said("stopping")
            job.running.interrupt()
            assert job.ends(2) == 130


def test_a_udp_tracker_that_never_answers_holds_up_neither_the_download_nor_the_end(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, Proxy(seed) as honest:
        silent.bind(("127.0.0.1", 0))
        source = torrent.with_trackers(tmp_path, f"udp://127.0.0.1:{silent.getsockname()[1]}/announce")
        with program.get(source, into, tmp_path / "get", peers=(honest.address,)) as job:
            job.saw("complete", seconds=5)
            assert job.ends(3) == 0  # it has not heard that we are there, and need not hear that we leave
        silent.settimeout(1)
        assert len(silent.recv(100)) == 16  # it was asked for a connection id
    assert (into / NAME).read_bytes() == torrent.data


def test_a_torrent_can_not_have_requests_sent_to_services_of_this_machine(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    """They are not even connected to."""
    with ExitStack() as stack:
        service = stack.enter_context(BadTracker(page(b"secret")))
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        honest = stack.enter_context(Proxy(seed, shut=True))
        base, port = f"http://{service.address}", datagrams.getsockname()[1]
        urls = [
            f"{base}/admin",
            f"{base}/announce?do=it",
            f"http://localhost:{service.port}/x",
            f"udp://127.0.0.1:{port}/x",
        ]
        source = torrent.with_trackers(tmp_path, *urls)
        with program.get(source, into, tmp_path / "get", peers=(honest.address,)) as job:
            assert wait_until(lambda: len(job.events("tracker_error")) >= len(urls), 20), job.lines
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
        datagrams.setblocking(False)
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
    assert service.asked == []
    assert all("local network" in event["reason"] for event in job.events("tracker_error"))
    assert (into / NAME).read_bytes() == torrent.data
