"""Who sent corrupt data: alone, at once; among several, when it happens again and again."""

from collections.abc import Iterable, Mapping

from bittern.engine.swarm.peer import Peer

STRIKES = 3
"""Failed pieces with a peer's blocks in them before it is banned with the others' blocks beside its own."""


def culprits(senders: Iterable[int], peers: Mapping[int, Peer]) -> list[Peer]:
    """A piece failed its hash: the peers to ban, out of those that sent its blocks."""
    numbers = list(senders)
    present = [peers[number] for number in numbers if number in peers]
    for peer in present:
        peer.strikes += 1
    return [peer for peer in present if len(numbers) == 1 or peer.strikes >= STRIKES]
