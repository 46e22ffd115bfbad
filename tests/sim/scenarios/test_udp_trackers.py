"""Swarms that know of each other by a UDP tracker alone, on lines that lose datagrams."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from bittern.engine.events import TrackerFailed
from bittern.engine.sources.announcer import GOODBYE_SECONDS
from bittern.engine.sources.turnstile import MOST_UNDER_WAY
from bittern.sim.host import Host
from bittern.sim.swarm import Swarm
from bittern.sim.tracker import Mood
from bittern.sim.udp import Service
from bittern.wire.announce import Event
from bittern.wire.tracker_udp import Announce, Connect, parse_request


def test_a_swarm_finds_itself_by_datagrams() -> None:
    swarm = Swarm(Random, 3, leechers=10, udp_tracker=True)
    swarm.run(300.0).check()
    assert {said.host for said in swarm.tracker.log} == {process.name for process in swarm.processes}


def test_a_third_of_all_datagrams_may_be_lost() -> None:
    swarm = Swarm(Random, 4, leechers=10, udp_tracker=True)
    swarm.services.loss = 0.33
    swarm.run(900.0).check()


def test_each_event_is_told_once_even_if_it_has_to_be_sent_again() -> None:
    swarm = Swarm(Random, 5, leechers=5, udp_tracker=True)
    swarm.run(300.0)
    swarm.world.run(60.0)
    told = Counter((said.host, said.event) for said in swarm.tracker.log if said.event)
    assert set(told.values()) == {1}
    assert {event for _, event in told} == {"started", "completed"}


def test_a_silent_tracker_is_asked_thrice_then_left_for_a_while() -> None:
    swarm = Swarm(Random, 6, leechers=1, udp_tracker=True)
    swarm.tracker.mood = Mood.SILENT
    swarm.run(70.0)
    [leecher] = swarm.leechers
    failures = [event for _, event in leecher.events if isinstance(event, TrackerFailed)]
    assert [failure.reason for failure in failures] == ["no answer within 60 s"]
    swarm.tracker.mood = Mood.WELL
    swarm.run(300.0).check()


def test_no_more_than_some_of_many_torrents_are_announced_at_a_time() -> None:
    swarm = Swarm(Random, 7, seeds=0, leechers=1, torrents=120, size=1 << 14, piece_size=1 << 14, udp_tracker=True)
    swarm.tracker.mood = Mood.SILENT
    [leecher] = swarm.leechers
    most = 0
    for _ in range(100):
        swarm.world.run(0.1)
        most = max(most, len(leecher.core._shared.udp_asked))
    assert most == MOST_UNDER_WAY


@pytest.mark.parametrize(("seconds", "lost"), [(10.0, Announce), (100.0, Connect), (100.0, Announce)])
def test_a_goodbye_that_is_lost_is_said_again_before_its_time_is_over(
    seconds: float, lost: type[Announce | Connect]
) -> None:
    """After ten seconds the connection id is good, after a hundred a new one is needed first."""
    swarm = Swarm(Random, 8, seeds=1, leechers=0, udp_tracker=True)
    swarm.world.run(seconds)
    missing: list[Announce | Connect] = []

    def loses(service: Service, host: Host, data: bytes) -> bytes | None:
        request = parse_request(data)
        if not missing and isinstance(request, lost):
            missing.append(request)
            return None
        return service(host, data)

    for address, service in list(swarm.services.at.items()):
        swarm.services.at[address] = partial(loses, service)
    [seed] = swarm.seeds
    [torrent] = seed.core.torrents.values()
    seed.core.remove(torrent, swarm.world.now)
    seed.host.touch()
    swarm.world.run(GOODBYE_SECONDS)
    assert len(missing) == 1
    assert [said.event for said in swarm.tracker.log if said.event] == ["started", "stopped"]
    assert swarm.tracker.log[-1].event == Event.STOPPED.value
    assert seed.core.goodbyes == 0


@pytest.mark.parametrize("udp", [False, True])
def test_thousands_of_torrents_are_announced_one_after_the_other(
    figure: Callable[[str], None],
    udp: bool,  # noqa: FBT001 - a parameter
) -> None:
    count = 2000
    swarm = Swarm(Random, 9, leechers=0, torrents=count, size=1 << 14, piece_size=1 << 14, udp_tracker=udp)
    [seed] = swarm.seeds
    most = 0
    while len(swarm.tracker.log) < count and swarm.world.now < 200.0:
        swarm.world.run(0.1)
        most = max(most, MOST_UNDER_WAY - seed.core._shared.turnstile.room)
    times = [said.now for said in swarm.tracker.log]
    assert len({said.info_hash for said in swarm.tracker.log}) == count
    assert all(later - sooner > 0.9 for sooner, later in zip(times, times[MOST_UNDER_WAY + 21 :], strict=False))
    assert 0 < most <= MOST_UNDER_WAY
    figure(
        f"{count} torrents at once, {'UDP' if udp else 'HTTP'}: all announced after {times[-1]:.0f} s, {most} at a time"
    )
