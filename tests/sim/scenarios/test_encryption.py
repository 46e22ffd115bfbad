"""Swarms whose members encrypt, or must, or do not: who can meet meets, and everybody gets everything."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from bittern.base.transport import Transport
from bittern.engine.events import PeerJoined
from bittern.engine.settings import EngineSettings
from bittern.sim.content import MIB
from bittern.sim.host import Cut, Host
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Swarm
from bittern.wire.mse.policy import Encryption


def policy(into: Encryption, out: Encryption | None = None) -> EngineSettings:
    return EngineSettings(encryption_in=into, encryption_out=out or into)


def encrypted(process: SimProcess) -> list[bool]:
    """Of the connections that a process had."""
    return [event.encrypted for _, event in process.events if isinstance(event, PeerJoined)]


def test_a_swarm_that_requires_encryption_is_as_fast_as_any(seed: int, figure: Callable[[str], None]) -> None:
    times = {}
    for name, settings in (("plain", EngineSettings()), ("encrypted", policy(Encryption.REQUIRE))):
        swarm = Swarm(Random, seed, leechers=8, size=2 * MIB, settings=settings)
        report = swarm.run(120.0)
        report.check()
        times[name] = max(process.completed[1] for process in swarm.leechers)
        kinds = {kind for process in swarm.processes for kind in encrypted(process)}
        assert kinds == {name == "encrypted"}
    figure(f"8 leechers, 2 MiB: {times['plain']:.1f} s plainly, {times['encrypted']:.1f} s encrypted (seed {seed})")
    assert times["encrypted"] < 1.4 * times["plain"]


def test_over_utp_as_over_tcp(seed: int) -> None:
    settings = replace(policy(Encryption.REQUIRE), tcp=False, utp=True)
    swarm = Swarm(Random, seed, leechers=3, size=MIB, settings=settings)
    swarm.run(120.0).check()
    joined = [event for process in swarm.processes for _, event in process.events if isinstance(event, PeerJoined)]
    assert {(event.transport, event.encrypted) for event in joined} == {(Transport.UTP, True)}


def test_whatever_reads_and_writes_are_cut_into(seed: int) -> None:
    def prepare(host: Host) -> None:
        host.cut = Cut.RANDOM
        host.natted = host.name == "leech01"

    swarm = Swarm(
        Random, seed, leechers=4, size=400_000, piece_size=16384, prepare=prepare, settings=policy(Encryption.REQUIRE)
    )
    report = swarm.run(120.0)
    report.check()
    assert sum(peer.wasted for peer in report.peers) == 0


def test_those_that_must_and_those_that_can_not_meet_through_those_that_prefer(seed: int) -> None:
    """The only seed requires encryption; some leechers have none: what they get comes from those between."""
    swarm = Swarm(Random, seed, seeds=0, leechers=0, size=MIB)
    seeder = swarm.process("seed", policy(Encryption.REQUIRE))
    between = [swarm.process(f"both{number}", policy(Encryption.PREFER)) for number in range(2)]
    without = [swarm.process(f"off{number}", policy(Encryption.OFF)) for number in range(2)]
    seeder.seed(swarm.contents[0])
    for process in (*between, *without):
        process.leech(swarm.contents[0])
    report = swarm.run(240.0, [*between, *without])
    report.check()
    assert set(encrypted(seeder)) <= {True}
    assert not any(kind for process in without for kind in encrypted(process))
    assert all(set(encrypted(process)) == {True, False} for process in between)


def test_the_same_chance_gives_the_same_swarm() -> None:
    """Keys and padding are of the chance of the simulation, too."""
    digests = {Swarm(Random, 5, leechers=3, size=200_000, settings=replace(policy(Encryption.PREFER))).run().digest}
    digests |= {Swarm(Random, 5, leechers=3, size=200_000, settings=replace(policy(Encryption.PREFER))).run().digest}
    assert len(digests) == 1
