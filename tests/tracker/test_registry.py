from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.tracker import registry as module
from bittern.tracker.registry import COMPLETED, LIFE, STOPPED, Registry

HASHES = [bytes([number]) * 20 for number in range(3)]
PEERS = [bytes([number]) * size for number in range(5) for size in (6, 18)]


def made(now: float = 0.0, max_peers: int = 1000) -> Registry:
    """One whose ticks are seconds."""
    return Registry(now, LIFE, max_peers, Random(1).random)


def split(packed: bytes, size: int) -> list[bytes]:
    return [packed[at : at + size] for at in range(0, len(packed), size)]


class Model:
    """The same with dictionaries that are searched from end to end."""

    def __init__(self) -> None:
        self.now = 0
        self.peers: dict[tuple[bytes, bytes], tuple[bool, int]] = {}
        self.completed: dict[bytes, int] = {}

    def announce(self, info_hash: bytes, address: bytes, *, seed: bool, event: int) -> None:
        key = info_hash, address
        if event == STOPPED:
            self.peers.pop(key, None)
            return
        if event == COMPLETED and seed and key in self.peers and not self.peers[key][0]:
            self.completed[info_hash] = self.completed.get(info_hash, 0) + 1
        self.peers[key] = (seed, self.now)

    def advance(self, now: int) -> None:
        self.now = now
        self.peers = {key: peer for key, peer in self.peers.items() if now - peer[1] <= LIFE}

    def scrape(self, info_hash: bytes) -> tuple[int, int, int]:
        roles = [seed for (each, _), (seed, _) in self.peers.items() if each == info_hash]
        return sum(roles), self.completed.get(info_hash, 0), len(roles) - sum(roles)

    def others(self, info_hash: bytes, address: bytes, *, seed: bool) -> set[bytes]:
        return {
            other
            for (each, other), (complete, _) in self.peers.items()
            if each == info_hash and other != address and len(other) == len(address) and not (seed and complete)
        }


ANNOUNCES = st.tuples(
    st.sampled_from(HASHES), st.sampled_from(PEERS), st.booleans(), st.integers(0, 3), st.integers(0, 12)
)
WAITS = st.sampled_from([0, 1, 30, LIFE - 1, LIFE, LIFE + 1, 3 * LIFE])


@settings(max_examples=300)
@given(st.lists(ANNOUNCES | WAITS, max_size=60))
def test_it_does_what_searching_dictionaries_would_do(
    steps: list[tuple[bytes, bytes, bool, int, int] | int],
) -> None:
    registry, model = made(), Model()
    for step in steps:
        if isinstance(step, int):
            model.advance(model.now + step)
            registry.advance(model.now)
        else:
            info_hash, address, seed, event, count = step
            model.announce(info_hash, address, seed=seed, event=event)
            seeds, leechers, packed = registry.announce(info_hash, address, seed, event, count)
            peers = split(packed, len(address))
            others = model.others(info_hash, address, seed=seed)
            assert (seeds, leechers) == model.scrape(info_hash)[::2]
            if event == STOPPED:
                assert peers == []
            else:
                assert len(peers) == len(set(peers)) == min(count, len(others))
                assert set(peers) <= others
        registry.check_invariants()
        assert [registry.scrape(each) for each in HASHES] == [model.scrape(each) for each in HASHES]
    totals = registry.totals()
    assert totals.leechers + totals.seeds == sum(len(address) == 6 for _, address in model.peers)
    assert totals.leechers6 + totals.seeds6 == sum(len(address) == 18 for _, address in model.peers)


def test_coming_and_going_adds_nothing() -> None:
    registry = made()
    for _ in range(100):
        registry.announce(HASHES[0], PEERS[0], False, 2, 50)
        registry.announce(HASHES[0], PEERS[0], False, STOPPED, 50)
    assert registry.totals().known == 1
    registry.check_invariants()
    registry.advance(LIFE + 1)
    assert registry.totals().known == registry.totals().swarms == 0


def test_newcomers_beyond_the_limit_are_answered_and_not_remembered() -> None:
    registry = made(max_peers=2)
    registry.announce(HASHES[0], PEERS[0], False, 2, 50)
    registry.announce(HASHES[0], PEERS[2], True, 2, 50)
    assert registry.announce(HASHES[0], PEERS[4], False, 2, 50) == (1, 1, PEERS[2])
    assert registry.announce(HASHES[0], PEERS[4], True, 2, 50) == (1, 1, PEERS[0])
    assert registry.announce(HASHES[1], PEERS[4], False, 2, 50) == (0, 0, b"")
    assert registry.announce(HASHES[0], PEERS[0], False, 0, 50) == (1, 1, PEERS[2])
    registry.check_invariants()
    registry.advance(LIFE + 1)
    registry.announce(HASHES[1], PEERS[4], False, 2, 50)
    assert registry.scrape(HASHES[1]) == (0, 0, 1)


def test_completed_downloads_are_counted_once_and_outlive_the_swarm() -> None:
    registry = made()
    registry.announce(HASHES[0], PEERS[0], True, COMPLETED, 0)
    assert registry.scrape(HASHES[0]) == (1, 0, 0)  # it was no download that we saw
    registry.announce(HASHES[0], PEERS[2], False, 2, 0)
    registry.announce(HASHES[0], PEERS[2], True, COMPLETED, 0)
    registry.announce(HASHES[0], PEERS[2], True, COMPLETED, 0)
    assert registry.scrape(HASHES[0]) == (2, 1, 0)
    registry.advance(3 * LIFE)
    assert registry.scrape(HASHES[0]) == (0, 1, 0)


def test_the_oldest_counts_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 4)
    registry = made()
    hashes = [bytes([number]) * 20 for number in range(5)]
    for info_hash in hashes:
        registry.announce(info_hash, PEERS[0], False, 2, 0)
        registry.announce(info_hash, PEERS[0], True, COMPLETED, 0)
    assert [registry.scrape(each)[1] for each in hashes] == [0, 0, 1, 1, 1]


def test_a_peer_is_looked_at_once_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it announces, and however long the registry lives."""
    registry, looked = made(), 0
    look_at = Registry._look_at

    def counting(self: Registry, *arguments: object) -> None:
        nonlocal looked
        looked += 1
        look_at(self, *arguments)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(Registry, "_look_at", counting)
    for now in range(10 * LIFE):
        registry.advance(now)
        registry.announce(HASHES[0], PEERS[0], False, 0, 0)
    assert looked <= 10


def test_a_flood_of_silent_peers_is_forgotten_bit_by_bit() -> None:
    registry = made()
    for number in range(10):
        registry.announce(HASHES[number % 3], number.to_bytes(6), False, 2, 0)
    known = []
    for now in range(LIFE + 1, LIFE + 6):
        registry.advance(now, 4)
        registry.announce(HASHES[0], bytes(6), False, 0, 0)  # while the others go
        registry.check_invariants()
        known.append(registry.totals().known)
    assert known == [6, 2, 1, 1, 1]
