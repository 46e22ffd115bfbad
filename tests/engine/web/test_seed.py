"""What is known of one web seed, and when it may be asked again."""

from math import inf
from random import Random

import pytest

from bittern.base.bitfield import members
from bittern.engine.web.guard import may_be_local
from bittern.engine.web.seed import MOST_MOVED, MOST_RETRY_SECONDS, OFFENCES, STRETCH_FIRST, STRETCH_MOST, WebSeed
from bittern.wire.http_range import Refused, Why
from bittern.wire.webseed import FileRange, WebLayout, WebUrl
from tests.wire.test_webseed import PIECE, info_v1

INFO = info_v1([PIECE + 1, 5, 3 * PIECE])
LAYOUT = WebLayout(INFO)


def seed(url: str = "http://user:x@a/pub/") -> WebSeed:
    parsed = WebUrl.parse(url)
    assert parsed is not None
    return WebSeed(-1, url, parsed, Random(1))


def part(file: int) -> FileRange:
    return FileRange(file, 0, 1, INFO.files[file].offset, 1, pad=False)


def test_it_is_asked_less_and_less_often_until_it_works() -> None:
    one = seed()
    waits = [one.failed("no", 100.0) for _ in range(14)]
    assert all(4 * 2**number * 0.75 < wait for number, wait in enumerate(waits[:8]))
    assert waits[-1] <= MOST_RETRY_SECONDS * 1.25
    assert one.due > 100 + waits[-1] - 1
    one.brought(part(0))
    assert (one.failures, one.message) == (0, None)
    assert one.failed("no", 0.0) < 7


def test_after_a_few_offences_it_is_never_asked_again() -> None:
    one = seed()
    waits = [one.offended("rubbish", 0.0) for _ in range(OFFENCES)]
    assert waits[-1] == one.due == inf
    assert one.banned
    assert all(wait < 60 for wait in waits[:-1])


def test_pieces_of_files_that_it_lacks_are_not_asked_of_it() -> None:
    one = seed()
    assert one.refused(Refused(Why.ABSENT, 404), 1, INFO, LAYOUT, 0.0) == 0.0
    assert members(one.lacks, INFO.geometry.piece_count) == [1]
    assert one.refused(Refused(Why.OTHER, 416), 0, INFO, LAYOUT, 0.0) == 0.0
    assert members(one.lacks, INFO.geometry.piece_count) == [0, 1]
    assert one.refused(Refused(Why.ABSENT, 404), 2, INFO, LAYOUT, 0.0) >= MOST_RETRY_SECONDS
    assert one.lacks == 0  # all will be looked for again


def test_who_lacks_a_part_of_every_piece_can_give_nothing() -> None:
    """Files that share a piece with one that is not there are never asked for: nor is anything else."""
    info = info_v1([5, 5, 5])
    one = seed()
    assert one.refused(Refused(Why.ABSENT, 404), 1, info, WebLayout(info), 0.0) >= MOST_RETRY_SECONDS
    assert (one.lacks, one.absent) == (0, {})


def test_a_place_that_a_file_came_from_may_expire_but_one_that_never_gave_anything_is_wrong() -> None:
    one = seed()
    assert one.moved(LAYOUT, 1, "http://b/x?signed", "10.0.0.1") is None
    assert not one.expired(1)
    one.brought(part(1))
    assert one.expired(1)
    assert str(one.where(LAYOUT, 1)[0]) == "http://a/pub/n/d/1"
    assert not one.expired(1)


def test_of_so_many_files_it_is_remembered_where_they_are() -> None:
    one, layout = seed(), WebLayout(info_v1([1] * (MOST_MOVED + 10)))
    for file in range(MOST_MOVED + 10):
        assert one.moved(layout, file, f"http://b/{file}", "10.0.0.1") is None
        one.brought(FileRange(file, 0, 1, 0, 1, pad=False))
    assert [one.expired(file) for file in (0, 9, 10, MOST_MOVED + 9)] == [False, False, True, True]


def test_who_is_busy_says_for_how_long() -> None:
    assert seed().refused(Refused(Why.BUSY, 503, 77.0), 1, INFO, LAYOUT, 0.0) == 77.0


def test_redirects_are_kept_for_each_file_and_forgotten_with_a_failure() -> None:
    one = seed()
    assert one.moved(LAYOUT, 1, "http://b/x", "10.0.0.1") is None
    assert (str(one.where(LAYOUT, 1)[0]), one.where(LAYOUT, 1)[1]) == ("http://b/x", "10.0.0.1")
    assert str(one.where(LAYOUT, 0)[0]) == "http://a/pub/n/d/0"
    one.failed("no", 0.0)
    assert str(one.where(LAYOUT, 1)[0]) == "http://a/pub/n/d/1"


def test_redirects_without_end_are_refused() -> None:
    one = seed()
    wrong = [one.moved(LAYOUT, 0, f"/{step}", "10.0.0.1") for step in range(6)]
    assert wrong[:5] == [None] * 5
    assert "redirects" in str(wrong[5])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (["192.168.0.1"], True),
        (["93.184.215.14"], False),
        (["192.168.0.1", "93.184.215.14"], False),
        (["93.184.215.14", "192.168.0.1"], False),
        (["93.184.215.14", "93.184.215.15", "192.168.0.1"], False),
        (["192.168.0.1", "192.168.0.2"], True),
    ],
)
def test_only_who_is_at_home_leads_home(path: list[str], *, allowed: bool) -> None:
    one = seed()
    for step, host in enumerate(path):
        assert one.moved(LAYOUT, 0, f"http://s{step}/x", host) is None
    url, led_from = one.where(LAYOUT, 0)
    assert may_be_local(url, led_from=led_from) is allowed


def test_a_redirect_to_what_is_no_web_server_is_refused() -> None:
    assert "no web server" in str(seed().moved(LAYOUT, 0, "file:///etc/passwd", "10.0.0.1"))


def test_more_is_asked_in_one_go_of_who_is_quick() -> None:
    one = seed()
    for _ in range(20):
        one.took(0.1)
    assert one.stretch == STRETCH_MOST
    one.took(5.0)
    assert one.stretch == STRETCH_MOST
    for _ in range(3):
        one.took(20.0)
    assert one.stretch == STRETCH_MOST // 64
    one.failed("no", 0.0)
    assert one.stretch == STRETCH_FIRST


def test_a_second_connection_waits_for_the_first_bytes() -> None:
    one = seed()
    assert one.connections == 1
    one.brought(part(0))
    assert one.connections == 2
    one.rangeless = True
    assert one.connections == 1
