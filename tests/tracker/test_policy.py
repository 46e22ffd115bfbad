from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import TrackerError
from bittern.tracker import policy as module
from bittern.tracker.policy import (
    WINDOW_SECONDS,
    Policy,
    parse_info_hashes,
    parse_passkeys,
    passkey_of,
    too_many,
)

HASH = bytes(range(20))
HOST = bytes([192, 0, 2, 1])


def refusal(policy: Policy, info_hash: bytes, target: str) -> str | None:
    try:
        policy.check(info_hash, target)
    except TrackerError as error:
        return str(error) if error.retry_in == inf else "come again"
    return None


def test_an_open_tracker_serves_everything() -> None:
    policy = Policy()
    assert not policy.private
    assert refusal(policy, HASH, "") is None


def test_a_private_one_serves_what_is_allowed_to_who_has_a_passkey() -> None:
    policy = Policy([HASH], ["secret"])
    assert policy.private
    assert policy.needs_passkey
    assert refusal(policy, HASH, "/secret/announce?x=1") is None
    assert refusal(policy, HASH, "/announce?passkey=secret") is None
    assert refusal(policy, HASH, "/other/announce") == "unknown passkey"
    assert refusal(policy, HASH, "") == "unknown passkey"
    assert refusal(policy, bytes(20), "/secret/announce") == "torrent not registered"
    policy.allow([bytes(20)], None)
    assert refusal(policy, bytes(20), "/announce") is None
    assert refusal(policy, HASH, "/announce") == "torrent not registered"


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/KEY/announce", "KEY"),
        ("/KEY/announce?passkey=other", "KEY"),
        ("/announce?a=1&passkey=KEY", "KEY"),
        ("/announce", ""),
        ("", ""),
        ("/announce?" + "a=1&" * 60 + "passkey=KEY", ""),
    ],
)
def test_a_passkey_stands_in_the_path_or_the_query(target: str, key: str) -> None:
    assert passkey_of(target) == key


@given(st.text(max_size=60))
def test_any_target_has_a_passkey_or_none(target: str) -> None:
    assert isinstance(passkey_of(target), str)


def test_an_address_gets_its_rate_and_no_more() -> None:
    policy = Policy(per_second=2)
    most = 2 * WINDOW_SECONDS
    served = [policy.within_rate(HOST, 100.0) for _ in range(50)]
    assert served == [True] * most + [False] * (50 - most)
    assert policy.within_rate(bytes(4), 100.0)
    assert policy.within_rate(HOST, 100.0 + WINDOW_SECONDS)


def test_an_ipv6_network_counts_as_one() -> None:
    policy = Policy(per_second=0.1)
    assert policy.within_rate(bytes(8) + b"12345678", 0.0)
    assert not policy.within_rate(bytes(8) + b"87654321", 0.0)
    assert policy.within_rate(b"1" * 16, 0.0)


def test_no_rate_is_no_limit_and_no_memory() -> None:
    policy = Policy()
    assert all(policy.within_rate(HOST, 0.0) for _ in range(1000))
    assert policy._counts == {}


def test_a_flood_of_addresses_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COUNTED", 100)
    policy = Policy(per_second=5)
    assert all(policy.within_rate(number.to_bytes(4), 0.0) for number in range(1000))
    assert len(policy._counts) <= 100


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    assert too_many().retry_in == 300


def test_lists_have_one_entry_a_line() -> None:
    text = f"# ours\n{HASH.hex()}  # one\n\n{bytes(range(32)).hex().upper()}\n"
    assert parse_info_hashes(text) == {HASH}
    assert parse_passkeys("abc\n  d-e_1 # me\n") == {"abc", "d-e_1"}


@pytest.mark.parametrize("line", ["zz", "00", "é" * 40, "0" * 41])
def test_a_line_that_is_no_info_hash_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is no info hash"):
        parse_info_hashes(f"\n{line}\n")


@pytest.mark.parametrize("line", ["a/b", "a b", "é", "?"])
def test_a_line_that_is_no_passkey_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 1 is no passkey"):
        parse_passkeys(line)
