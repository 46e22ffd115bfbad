from random import Random

from bittern.sim.content import MIB
from bittern.sim.swarm import Lines, Swarm


def test_leechers_join_one_after_the_other_and_the_run_ends_with_the_last_to_complete() -> None:
    swarm = Swarm(Random, leechers=3, size=MIB, stagger=2.0)
    report = swarm.run()
    report.check()
    done = [report[process.name].completed for process in swarm.leechers]
    assert all(at is not None and at > 2.0 * number for number, at in enumerate(done))
    assert report.seconds == max(at for at in done if at is not None)


def test_a_run_ends_when_its_time_is_over_and_says_who_is_not_complete() -> None:
    report = Swarm(Random, leechers=2, size=MIB).run(seconds=0.5)
    assert report.seconds == 0.5
    assert report.unfinished == ("leech00", "leech01")


def test_hosts_are_connected_as_told_and_prepared_before_their_process_starts() -> None:
    swarm = Swarm(
        Random,
        leechers=1,
        size=MIB,
        lines=Lines(up=500_000.0, latency=0.1),
        prepare=lambda host: setattr(host, "natted", host.name == "leech00"),
    )
    host = swarm.leechers[0].host
    assert (host.uplink.rate, host.latency, host.natted) == (500_000.0, 0.1, True)
    swarm.run().check()
    assert all(said.host == "seed0" or said.left for said in swarm.tracker.log)
