from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import ResumeError
from bittern.codec.bencode import encode
from bittern.tracker.registry import LIFE, Registry
from bittern.tracker.snapshot import MAGIC, restore, save

HASHES = [bytes([number]) * 20 for number in range(3)]
PEERS = st.builds(lambda number, size: number.to_bytes(size), st.integers(0, 40), st.sampled_from([6, 18]))


def made(now: float = 0.0, seconds: float = LIFE) -> Registry:
    return Registry(now, seconds, 10_000, Random(1).random)


def everybody(registry: Registry) -> set[tuple[bytes, bool, bytes, int]]:
    found = set()
    for info_hash, seed, addresses, ages in registry.rows():
        size = len(addresses) // len(ages)
        found |= {(info_hash, seed, addresses[at * size : (at + 1) * size], age) for at, age in enumerate(ages)}
    return found


@given(
    st.lists(st.tuples(st.sampled_from(HASHES), PEERS, st.booleans(), st.integers(0, 3)), max_size=60),
    st.integers(0, LIFE + 5),
)
def test_the_swarms_are_found_again_older_by_the_time_between(
    announces: list[tuple[bytes, bytes, bool, int]], between: int
) -> None:
    before = made()
    for now, (info_hash, address, seed, event) in enumerate(announces):
        before.advance(now)
        before.announce(info_hash, address, seed, event, 0)
    after = made(now=5000.0)
    assert restore(after, save(before, 1e9), 1e9 + between) == len(everybody(before))
    after.check_invariants()
    expected = {(h, seed, peer, age + between) for h, seed, peer, age in everybody(before) if age + between <= LIFE}
    assert everybody(after) == expected
    assert after.completed() == before.completed()
    after.advance(5000.0 + LIFE + 1)
    assert everybody(after) == set()


def test_another_interval_and_a_clock_that_went_back_are_no_trouble() -> None:
    before = made()
    before.announce(HASHES[0], bytes(6), False, 2, 0)
    before.advance(64)
    after = made(seconds=2 * LIFE)
    restore(after, save(before, 1e9), 1e9 - 500)
    assert everybody(after) == {(HASHES[0], False, bytes(6), 32)}


def test_damage_anywhere_is_noticed_and_nothing_is_taken_in() -> None:
    before = made()
    before.announce(HASHES[0], bytes(6), False, 2, 0)
    data = save(before, 1e9)
    for at in range(len(data)):
        for broken in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            after = made()
            with pytest.raises(ResumeError):
                restore(after, broken, 1e9)
            assert after.totals().known == 0


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"at": 1, "completed": {}, "rows": [[]], "tick milliseconds": 1},
        {"at": 1, "completed": {}, "rows": [[bytes(20), 0, bytes(7), bytes(1)]], "tick milliseconds": 1},
        {"at": 1, "completed": {}, "rows": [[bytes(20), 0, b"", b""]], "tick milliseconds": 1},
        {"at": 1, "completed": {}, "rows": [[bytes(19), 0, bytes(6), bytes(1)]], "tick milliseconds": 1},
        {"at": 1, "completed": {}, "rows": [[bytes(20), 0, bytes(6), bytes(1)]], "tick milliseconds": -1},
        b"x",
    ],
)
def test_a_right_checksum_over_nonsense_is_no_help(said: object) -> None:
    body = encode(said)
    with pytest.raises(ResumeError):
        restore(made(), MAGIC + sha256(body).digest() + body, 1e9)


def test_counts_that_no_scrape_has_room_for_are_left_out() -> None:
    completed = {HASHES[0]: 5, HASHES[1]: -1, HASHES[2]: 1 << 32}
    body = encode({"at": 1, "completed": completed, "rows": [], "tick milliseconds": 1})
    registry = made()
    restore(registry, MAGIC + sha256(body).digest() + body, 1e9)
    assert registry.completed() == {HASHES[0]: 5}


def test_what_is_no_bencode_is_refused() -> None:
    with pytest.raises(ResumeError, match="makes no sense"):
        restore(made(), MAGIC + sha256(b"zz").digest() + b"zz", 1e9)
