"""Who sent corrupt data. Who sent a whole piece alone is known at once; several are put on parole.

When the piece has come again, its two copies tell who of them lied (`weigh`). That may take a while, and of a very long
piece the first bad copy is not remembered whole, so a liar is looked for in the meantime: a peer on parole
gets pieces of its own, which nobody else is asked for: the first that is good ends the parole, the first that is not is
proof. So a liar is found whoever sends beside it, and no honest peer is banned for its company.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bittern.engine.swarm.peer import Peer

from .evidence import Evidence

PAROLE_SECONDS = 20.0
"""A piece that one peer is to bring alone is asked of all again after so long: nobody may hold up the rest."""

TRIAL_SECONDS = 2.0
"""The same for a peer that has only not proven itself yet."""

STRIKES = 3
"""Failed pieces that a peer on parole was to bring alone and did not finish, before it is banned."""


def judge(senders: Sequence[int], former_owner: int | None, peers: Mapping[int, Peer], *, good: bool) -> list[Peer]:
    """A piece was hashed: set parole by it, and name the peers to ban.

    Args:
        senders: numbers of the peers whose blocks were in it.
        former_owner: the peer that was to bring it alone and did not finish it, or None.
        peers: those who are still there.
        good: whether the hash is right.
    """
    present = [peers[number] for number in senders if number in peers]
    if good:
        for peer in present:
            if peer.pipeline is not None:
                peer.pipeline.proven = True
        if len(senders) == 1:
            _parole(present, paroled=False)
        return []
    if len(senders) == 1:
        return present
    _parole(present, paroled=True)
    suspect = peers.get(former_owner) if former_owner is not None else None
    if suspect is None:
        return []
    suspect.strikes += 1
    return [suspect] if suspect.strikes >= STRIKES else []


def weigh(
    evidence: Evidence,
    piece: int,
    senders: Sequence[int],
    peers: Mapping[int, Peer],
    others: Mapping[int, str] = MappingProxyType({}),
    *,
    good: bool,
) -> tuple[str, ...]:
    """A piece was hashed: the addresses of those who are known to have lied in earlier copies of it.

    Who is known not to have is on parole no more.

    Args:
        evidence: what came of pieces that failed.
        piece: its number.
        senders: numbers of the peers whose blocks were in it.
        peers: those who are still there.
        others: names of senders that are no peers.
        good: whether the hash is right.
    """
    if not good:
        hosts = {number: peers[number].address.host for number in senders if number in peers}
        evidence.failed(piece, hosts | {number: others[number] for number in senders if number in others})
        return ()
    if piece not in evidence:
        return ()
    verdict = evidence.proven(piece)
    _parole([peers[number] for number in verdict.cleared if number in peers], paroled=False)
    return verdict.liars


def _parole(peers: Sequence[Peer], *, paroled: bool) -> None:
    for peer in peers:
        if peer.pipeline is not None:
            peer.pipeline.paroled = paroled
