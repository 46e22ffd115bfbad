import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.mtu import LEAST, LEAST_IPV6, PathMtu


def search(path: PathMtu, limit: int, now: float = 0.0) -> int:
    """Try until nothing is left to try; how many probes."""
    count = 0
    while (size := path.probe(now)) is not None:
        count += 1
        if size <= limit:
            path.arrived(size)
        else:
            path.vanished(size)
    return count


@given(st.integers(LEAST, 65_000), st.integers(LEAST, 60_000))
def test_the_search_ends_near_what_goes_through(limit: int, most: int) -> None:
    path = PathMtu(most, ipv6=False)
    assert search(path, limit) <= 40
    best = min(limit, most)
    assert path.proven <= best
    assert path.proven > (best if best <= 1472 else max(size for size in (1472, 8972, most) if size <= best)) - 40


@pytest.mark.parametrize(("limit", "probes"), [(1472, 3), (8972, 4), (60_000, 3)])
def test_common_paths_are_found_quickly(limit: int, probes: int) -> None:
    path = PathMtu(60_000, ipv6=False)
    assert search(path, limit) == probes
    assert path.proven == limit


def test_what_the_system_refuses_is_not_tried_again() -> None:
    path = PathMtu(60_000, ipv6=False)
    path.arrived(1472)
    assert path.probe(0.0) == 8972
    path.too_big(8972)
    assert path.probe(0.0) is None


@given(st.integers(548, 20_000))
def test_no_probe_ends_just_behind_what_some_receivers_read(limit: int) -> None:
    """Whose buffer is cut within the last bytes would take a part of the payload for all of it."""
    path = PathMtu(60_000, ipv6=False)
    tried = []
    while (size := path.probe(0.0)) is not None:
        tried.append(size)
        path.arrived(size) if size <= limit else path.vanished(size)
    for buffer in (1500, 1600, 2000, 2048, 4096, 8192, 16_384, 32_768, 65_535):
        assert not any(size - 128 < buffer < size for size in tried)


def test_ipv6_has_its_own_sizes() -> None:
    path = PathMtu(60_000, ipv6=True)
    assert path.proven == LEAST_IPV6
    assert path.probe(0.0) == 1452


def test_one_lost_probe_says_nothing() -> None:
    path = PathMtu(1472, ipv6=False)
    path.vanished(1472)
    assert path.probe(0.0) == 1472
    path.vanished(1472)
    assert path.probe(0.0) == (LEAST + 1472) // 2


def test_larger_sizes_are_tried_again_later() -> None:
    path = PathMtu(60_000, ipv6=False)
    search(path, 1000)
    assert path.probe(599.0) is None
    assert path.probe(601.0) == 1472
    path.arrived(1472)
    assert path.proven == 1472


def test_a_path_that_became_smaller_is_searched_anew() -> None:
    path = PathMtu(60_000, ipv6=False)
    search(path, 1472)
    path.too_big(1400)
    assert path.proven == LEAST
    search(path, 1300)
    assert 1260 < path.proven <= 1300


@given(st.sampled_from((1472, 8972, 60_000)), st.integers(LEAST, 60_000), st.integers(LEAST, 60_000))
def test_a_path_that_swallows_what_went_through_is_searched_anew_up_to_what_it_takes(
    most: int, before: int, after: int
) -> None:
    path, fresh = PathMtu(most, ipv6=False), PathMtu(most, ipv6=False)
    search(path, before)
    path.fell()
    assert path.proven == path.least == LEAST
    assert search(path, after) == search(fresh, after)
    assert path.proven == fresh.proven
