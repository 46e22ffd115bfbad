"""Upload slots of classes of peers."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.engine.swarm.classes import PeerClass
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.choker import Contender, rechoke, tit_for_tat
from bittern.engine.upload.pools import has_free_slot, pool_of, split

NEAR = PeerClass(name="near", upload_slots=2)
FAR = PeerClass(name="far", upload_slots=0)
PLAIN = PeerClass(name="plain")


@dataclass(eq=False)
class Somebody:
    """As much of a peer as slots are about."""

    peer_class: PeerClass | None
    am_choking: bool = True
    peer_interested: bool = True


def peers_of(classes: list[PeerClass | None]) -> list[Peer]:
    return [Somebody(each) for each in classes]  # type: ignore[misc]  # stands in for a peer


@given(st.lists(st.sampled_from([None, NEAR, FAR, PLAIN]), max_size=30), st.integers(0, 6))
@settings(max_examples=100)
def test_each_class_has_its_own_slots_and_no_others(classes: list[PeerClass | None], slots: int) -> None:
    peers = peers_of(classes)
    contenders = {peer: Contender(number=number, gives=number % 5) for number, peer in enumerate(peers)}
    common, apart = split(contenders, tit_for_tat)
    assert [one.number for one in common] == [n for n, each in enumerate(classes) if each not in (NEAR, FAR)]
    near = [one for one in contenders.values() if classes[one.number] is NEAR]
    assert apart == rechoke(near, 2, (), tit_for_tat)
    assert len(apart | rechoke(common, slots, (), tit_for_tat)) == min(2, len(near)) + min(slots, len(common))


def test_a_free_slot_is_one_of_the_peers_own_pool() -> None:
    ann, bob, cat, dan, eve = peers = peers_of([NEAR, NEAR, None, PLAIN, FAR])
    assert [pool_of(peer) for peer in peers] == [NEAR, NEAR, None, None, FAR]
    assert has_free_slot(ann, peers, 0)
    ann.am_choking = bob.am_choking = False
    assert not has_free_slot(ann, peers, 5)
    assert has_free_slot(cat, peers, 1)
    dan.am_choking = False
    assert not has_free_slot(cat, peers, 1)
    assert not has_free_slot(eve, peers, 5)
