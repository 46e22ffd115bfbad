"""Links whose metadata is large: many give it at once, some leave in the middle, some lie."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from bittern.base.errors import Offence
from bittern.codec.bencode import decode, encode
from bittern.codec.info import Info
from bittern.engine.events import MetadataReceived, PeerDropped
from bittern.sim.content import Content, make_content
from bittern.sim.process import SimProcess
from bittern.sim.swarm import Lines, Swarm
from bittern.sim.world import World

WIDE = 640 << 10


def wide(world: World, name: str, size: int, piece_size: int, trackers: Sequence[str]) -> Content:
    """A torrent with 640 KiB of metadata: most of it is a field that nobody knows."""
    made = make_content(world, name, size, piece_size, trackers)
    fields = decode(made.info.raw)
    assert isinstance(fields, dict)
    raw = encode({**fields, b"zzz": world.chance("wide").rng_for(name).randbytes(WIDE)})
    return Content(replace(made.metainfo, info=Info.parse(raw)), made.data)


def narrow(seed: int, seeds: int) -> Swarm:
    """One who has only the link, and seeds that send 64 KiB a second each."""
    lines = Lines(up=64 << 10, down=2 << 20)
    return Swarm(Random, seed, seeds=seeds, leechers=1, size=256 << 10, lines=lines, magnets=True, make=wide)


def knew_at(process: SimProcess) -> float:
    """When the metadata was there."""
    return next(at for at, event in process.events if isinstance(event, MetadataReceived))


def offenders(process: SimProcess) -> dict[str, str]:
    """Who was dropped for what, by address."""
    drops = [event for _, event in process.events if isinstance(event, PeerDropped) and event.offence]
    return {drop.address.host: drop.reason for drop in drops}


def test_many_give_the_metadata_at_once(seed: int) -> None:
    """One alone needs ten seconds."""
    took = {}
    for seeds in (1, 8):
        swarm = narrow(seed, seeds)
        swarm.run(120.0).check()
        took[seeds] = knew_at(swarm.leechers[0])
    assert took[8] < took[1] / 3


@pytest.mark.parametrize("number", range(10))
def test_seeds_that_leave_in_the_middle_of_the_metadata_are_made_up_for(seed: int, number: int) -> None:
    """All but one of them go, in order or without a word."""
    swarm = narrow(1000 * seed + number, 6)
    rng = Random(number)
    for process in swarm.seeds[1:]:
        end = process.stop if rng.random() < 0.5 else partial(swarm.network.power_off, process.host)
        swarm.world.at(rng.uniform(0.2, 3.0), end)
    swarm.run(240.0).check()
    assert offenders(swarm.leechers[0]) == {}


@pytest.mark.parametrize("liars", [1, 3, 5])
def test_one_honest_seed_among_liars_is_enough_and_never_blamed(seed: int, liars: int) -> None:
    """They give zeros of the right size. Who lied alone is dropped for it."""
    swarm = narrow(seed, liars + 1)
    for process in swarm.seeds[1:]:
        process.core.torrents[1]._metadata._raw = bytes(len(swarm.contents[0].info.raw))
    swarm.run(600.0).check()
    blamed = offenders(swarm.leechers[0])
    assert swarm.seeds[0].host.address.host not in blamed
    assert all(reason.startswith(Offence.BAD_METADATA.value) for reason in blamed.values())
