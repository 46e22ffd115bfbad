from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1
from bittern.engine.sources.lsd import (
    AGAIN_SECONDS,
    FIRST_SECONDS,
    HEARD_BURST,
    HEARD_SECONDS,
    LEAST_SECONDS,
    MOST_HOSTS,
    LocalSearch,
)
from bittern.wire.lsd import GROUP_V4, MOST_HASHES, LocalAnnounce


def name(number: int) -> InfoHashV1:
    return InfoHashV1(number.to_bytes(20))


A, B = name(1), name(2)


def announced(search: LocalSearch, active: list[InfoHashV1], now: float) -> tuple[InfoHashV1, ...]:
    announce = search.announce(active, now)
    return announce.info_hashes if announce is not None else ()


def test_a_torrent_is_announced_soon_and_again_every_five_minutes() -> None:
    search = LocalSearch(51413, "us")
    assert search.next_due() == inf
    search.stir(10.0)
    assert search.next_due() == 10.0 + FIRST_SECONDS
    assert search.announce([A], 10.5) is None
    assert search.announce([A], 11.0) == LocalAnnounce(51413, (A,), "us")
    times = [now for now in range(12, 1000) if announced(search, [A], float(now))]
    assert times == [311, 611, 911]
    assert AGAIN_SECONDS == 300


def test_a_torrent_that_comes_later_waits_for_the_minute_to_be_over() -> None:
    search = LocalSearch(1, "us")
    search.stir(0.0)
    assert announced(search, [A], 1.0) == (A,)
    search.stir(20.0)
    assert search.next_due() == 1.0 + LEAST_SECONDS
    assert announced(search, [A, B], 61.0) == (B,)


def test_only_active_torrents_are_announced_and_a_hybrid_by_both_hashes() -> None:
    search = LocalSearch(1, "us")
    search.stir(0.0)
    assert announced(search, [], 1.0) == ()
    assert announced(search, [A, B], 61.0) == (A, B)


def test_who_rests_has_nothing_to_do_until_somebody_is_awake_and_a_minute_is_kept() -> None:
    search = LocalSearch(1, "us")
    search.stir(0.0)
    assert announced(search, [A], 1.0) == (A,)
    search.rest()
    assert search.next_due() == inf
    search.stir(20.0)
    assert search.next_due() == 1.0 + LEAST_SECONDS


def test_more_torrents_than_fit_take_turns() -> None:
    search = LocalSearch(1, "us")
    search.stir(0.0)
    many = [name(number) for number in range(60)]
    rounds = [announced(search, many, 1.0 + 60.0 * minute) for minute in range(7)]
    assert [len(each) for each in rounds] == [24, 24, 12, 0, 0, 24, 24]
    assert [each for some in rounds[:3] for each in some] == many
    assert MOST_HASHES == 24


def test_who_does_not_listen_announces_nothing_but_hears() -> None:
    search = LocalSearch(0, "us")
    search.stir(0.0)
    assert search.announce([A], 1.0) is None
    assert search.heard(LocalAnnounce(7, (A,)).encode(GROUP_V4), "10.0.0.2", 0.0) is not None


def test_an_announce_names_who_sent_it_and_nobody_else() -> None:
    search = LocalSearch(1, "us")
    datagram = LocalAnnounce(7, (A, B), "them").encode(GROUP_V4)
    assert search.heard(datagram, "10.0.0.2", 0.0) == (Address("10.0.0.2", 7), (A, B))


def test_our_own_announces_and_junk_are_ignored() -> None:
    search = LocalSearch(1, "us")
    assert search.heard(LocalAnnounce(1, (A,), "us").encode(GROUP_V4), "10.0.0.1", 0.0) is None
    assert search.heard(b"\0junk", "10.0.0.1", 0.0) is None


def test_a_newcomer_is_answered_when_the_next_announce_is_due() -> None:
    search = LocalSearch(1, "us")
    search.stir(0.0)
    assert announced(search, [A, B], 1.0) == (A, B)
    search.answer((A, name(77)), 10.0)
    assert search.next_due() == 61.0
    assert announced(search, [A, B], 61.0) == (A,)


def test_one_host_is_heard_at_its_pace_and_others_all_the_while() -> None:
    search = LocalSearch(1, "us")
    datagram = LocalAnnounce(7, (A,)).encode(GROUP_V4)
    heard = sum(search.heard(datagram, "10.0.0.2", second / 10) is not None for second in range(3000))
    assert heard <= HEARD_BURST + 300 / HEARD_SECONDS + 1
    assert heard >= HEARD_BURST + 300 / HEARD_SECONDS - 2
    assert search.heard(datagram, "10.0.0.3", 300.0) is not None


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    search = LocalSearch(1, "us")
    datagram = LocalAnnounce(7, (A,)).encode(GROUP_V4)
    heard = sum(search.heard(datagram, f"10.0.{n >> 8}.{n & 255}", 0.0) is not None for n in range(5000))
    assert heard == MOST_HOSTS
    assert search.heard(datagram, "10.9.9.9", HEARD_SECONDS) is not None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["stir", "answer", "look"]),
        st.floats(0.0, 200.0),
        st.lists(st.integers(0, 70).map(name), max_size=70, unique=True),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(STEPS)
def test_there_is_never_more_than_one_announce_a_minute_and_nobody_is_forgotten(
    steps: list[tuple[str, float, list[InfoHashV1]]],
) -> None:
    search = LocalSearch(1, "us")
    now, last = 0.0, -inf
    active: list[InfoHashV1] = []
    for what, later, names in steps:
        now += later
        if what == "stir":
            active = names
            search.stir(now)
        elif what == "answer":
            search.answer(names, now)
        announce = search.announce(active, now)
        if announce is not None:
            assert now - last >= LEAST_SECONDS
            assert set(announce.info_hashes) <= set(active)
            last = now
    search.stir(now)
    missing = dict.fromkeys(active)
    for _ in range(12):
        now = max(now, search.next_due()) + LEAST_SECONDS
        for each in announced(search, active, now):
            missing.pop(each, None)
    assert not missing


def test_who_moves_is_announced_at_the_new_port_when_the_next_announce_may_be() -> None:
    search = LocalSearch(51413, "us")
    search.stir(0.0)
    assert announced(search, [A], 1.0) == (A,)
    search.move(51413, 2.0)
    assert search.announce([A], 1.0 + LEAST_SECONDS) is None
    search.move(9, 70.0)
    assert search.announce([A], search.next_due()) == LocalAnnounce(9, (A,), "us")
