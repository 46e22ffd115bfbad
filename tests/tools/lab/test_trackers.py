import socket
from collections.abc import Iterator

import pytest

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.tools.lab.client import Client
from bittern.tools.lab.trackers import announce
from bittern.wire.tracker_http import MAX_REPLY
from tests.tools.lab.fakes import FakeTracker

HASH = InfoHashV1(bytes(range(0xEC, 0x100)))
PEERS = [("10.0.0.1", 6881), ("10.0.0.2", 1)]
CLIENT = Client(answer_seconds=2)


@pytest.fixture
def tracker() -> Iterator[FakeTracker]:
    with FakeTracker(HASH, 1000, PEERS) as fake:
        yield fake


def ask(*trackers: str) -> list[Address]:
    return list(announce(CLIENT, trackers, HASH, left=1).peers)


def test_an_announce_satisfies_a_strict_tracker(tracker: FakeTracker) -> None:
    assert ask(tracker.url) == [Address(*peer) for peer in PEERS]


def test_a_redirect_is_followed_with_its_query() -> None:
    with FakeTracker(HASH, 1000, PEERS, redirect=True) as tracker:
        assert len(ask(tracker.url)) == 2


def test_the_first_tracker_with_peers_counts(tracker: FakeTracker) -> None:
    with FakeTracker(HASH, 1000, []) as empty:
        found = ask("wss://t:80/announce", "http://127.0.0.1:1/announce", empty.url, tracker.url, "http://127.0.0.1:1/")
    assert len(found) == 2
    assert empty.announces == tracker.announces == 1


def test_an_answer_without_peers_is_better_than_none() -> None:
    with FakeTracker(HASH, 1000, []) as empty:
        assert ask(empty.url, "http://127.0.0.1:1/announce") == []


def test_the_last_failure_is_told_with_its_tracker(tracker: FakeTracker) -> None:
    tracker.answer = b"d14:failure reason3:no!e"
    with pytest.raises(TrackerError, match="no!") as caught:
        ask("http://127.0.0.1:1/announce", tracker.url)
    assert caught.value.__notes__ == [tracker.url]


@pytest.mark.parametrize("trackers", [(), ("ftp://t:80/announce", "wss://t/")])
def test_without_a_tracker_of_this_kind_there_is_nothing_to_ask(trackers: tuple[str, ...]) -> None:
    with pytest.raises(TrackerError, match="names no http"):
        ask(*trackers)


def test_a_page_of_a_web_server_is_told_by_its_status(tracker: FakeTracker) -> None:
    tracker.status, tracker.answer = 404, b"<html>not here</html>"
    with pytest.raises(TrackerError, match="answered 404 Not Found"):
        ask(tracker.url)


def test_an_endless_answer_is_cut_off(tracker: FakeTracker) -> None:
    tracker.answer = bytes(MAX_REPLY + 1)
    with pytest.raises(TrackerError, match="longer than"):
        ask(tracker.url)


def test_a_refusal_counts_whatever_its_status(tracker: FakeTracker) -> None:
    tracker.status, tracker.answer = 403, b"d14:failure reason9:forbiddene"
    with pytest.raises(TrackerError, match="forbidden"):
        ask(tracker.url)


def test_a_loop_of_redirects_ends() -> None:
    with FakeTracker(HASH, 1000, [], redirect=True) as tracker:
        tracker.redirect_to = "/announce/"
        with pytest.raises(TrackerError, match="redirects more than 5 times"):
            ask(tracker.url)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://t/announce"])
def test_a_redirect_leads_only_to_the_web(target: str) -> None:
    with FakeTracker(HASH, 1000, [], redirect=True) as tracker:
        tracker.redirect_to = target
        with pytest.raises(TrackerError, match=f"redirects to {target}"):
            ask(tracker.url)


def test_a_silent_tracker_does_not_hold_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/announce"
        with pytest.raises(TrackerError, match="cannot be asked: timed out"):
            announce(Client(answer_seconds=0.1), [url], HASH, left=1)
