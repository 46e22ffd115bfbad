"""Swarms that know of each other by a UDP tracker alone, on lines that lose datagrams."""

from collections import Counter
from random import Random

from bittern.engine.events import TrackerFailed
from bittern.engine.sources.turnstile import MOST_UNDER_WAY
from bittern.sim.swarm import Swarm
from bittern.sim.tracker import Mood


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
