"""The distributed hash table as a whole: with losses, with nodes that come and go, with nodes that are in the way."""

import os
from collections.abc import Callable
from math import log2
from random import Random
from statistics import median

import pytest

from bittern.sim.dht import DhtSwarm, SimNode, Telling

NODES = int(os.environ.get("BITTERN_SIM_DHT_NODES", "300"))
TRIALS = 50 if NODES < 1000 else 200
ALL_KINDS = NODES >= 1000  # of sybils: the others take as long again


def swarm_of(seed: int, nodes: int) -> DhtSwarm:
    """Nodes that had time to find each other, of which 30 % are replaced every hour; one datagram of ten is lost."""
    swarm = DhtSwarm(Random, seed=seed, loss=0.1)
    swarm.join(nodes, seconds=300.0)
    swarm.churn(0.3)
    swarm.world.run(120.0)
    return swarm


def look_for_all(swarm: DhtSwarm, hashes: list[bytes]) -> list[tuple[SimNode, int]]:
    """Each torrent is looked for by a node taken by chance."""
    searches = []
    for info_hash in hashes:
        node = swarm.rng.choice(swarm.nodes)
        searches.append((node, swarm.look_for(node, info_hash)))
        swarm.world.run(0.5)
    swarm.world.run(30.0)
    return searches


def messages(searches: list[tuple[SimNode, int]]) -> list[int]:
    return [done.asked for node, number in searches if (done := node.done(number)) is not None]


def test_announced_peers_are_found_with_losses_and_churn(seed: int, figure: Callable[[str], None]) -> None:
    swarm = swarm_of(seed, NODES)
    hashes = [swarm.rng.randbytes(20) for _ in range(TRIALS)]
    announced = []
    for info_hash in hashes:
        node = swarm.rng.choice(swarm.nodes)
        swarm.announce(node, info_hash)
        announced.append(node.address)
        swarm.world.run(0.5)
    swarm.world.run(600.0)
    searches = look_for_all(swarm, hashes)
    found = sum(peer in node.peers_of(number) for peer, (node, number) in zip(announced, searches, strict=True))
    asked = messages(searches)
    figure(
        f"dht, {NODES} nodes, 10 % loss, 30 % churn: {found} of {TRIALS} found, questions per lookup median "
        f"{median(asked):.0f}, most {max(asked)}, log2(n) {log2(NODES):.1f}"
    )
    assert len(asked) >= 0.95 * TRIALS  # who asked may have gone
    assert found >= 0.99 * TRIALS


def besieged(seed: int, target: bytes, *, bound: bool, telling: Telling, first: bool) -> DhtSwarm:
    """A network of which 30 % are sybils round `target`: they come last, or before most of the others."""
    honest, sybils = NODES * 7 // 10, NODES * 3 // 10
    if not first:
        swarm = swarm_of(seed, honest)
        swarm.besiege(target, sybils, bound=bound, telling=telling)
    else:
        swarm = DhtSwarm(Random, seed=seed, loss=0.1)
        swarm.join(honest // 4, seconds=120.0)
        swarm.besiege(target, sybils, bound=bound, telling=telling)
        swarm.join(honest - honest // 4, seconds=300.0)
        swarm.churn(0.3)
    swarm.world.run(330.0)
    return swarm


@pytest.mark.parametrize(
    ("bound", "telling", "first"),
    [
        (True, Telling.CLOSEST, False),
        (True, Telling.SHUFFLED, True),
        *(
            [
                (True, Telling.CLOSEST, True),
                (True, Telling.INVENTED, False),
                (False, Telling.CLOSEST, False),
            ]
            if ALL_KINDS
            else []
        ),
    ],
)
def test_announced_peers_are_found_through_a_crowd_of_sybils(
    seed: int, figure: Callable[[str], None], *, bound: bool, telling: Telling, first: bool
) -> None:
    target = Random(seed).randbytes(20)
    swarm = besieged(seed, target, bound=bound, telling=telling, first=first)
    announced = set()
    for _ in range(10):
        node = swarm.rng.choice(swarm.nodes)
        swarm.announce(node, target)
        announced.add(node.address)
        swarm.world.run(5.0)
    swarm.world.run(300.0)
    searches = look_for_all(swarm, [target] * TRIALS)
    recalls = [len(node.peers_of(number) & announced) / len(announced) for node, number in searches]
    asked = messages(searches)
    found = sum(recall > 0 for recall in recalls)
    kind = f"{'bound' if bound else 'any'} ids, there {'first' if first else 'last'}, naming {telling.name.lower()}"
    figure(
        f"dht, {NODES} nodes, 30 % of them sybils ({kind}): {found} of {TRIALS} lookups found peers, "
        f"{100 * sum(recalls) / TRIALS:.0f} % of all peers; questions per lookup median {median(asked):.0f}, "
        f"most {max(asked)}, log2(n) {log2(NODES):.1f}"
    )
    assert found >= 0.95 * TRIALS
