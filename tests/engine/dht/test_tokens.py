from random import Random

import pytest

from bittern.engine.dht.tokens import Tokens

HOST = "5.6.7.8"


def tokens() -> Tokens:
    return Tokens(Random(1).randbytes, 0.0)


@pytest.mark.parametrize("made", [0.0, 299.0, 300.0, 1234.0])
def test_a_token_holds_for_five_minutes_at_least_and_ten_at_most(made: float) -> None:
    some = tokens()
    token = some.token_for(HOST, made)
    assert some.is_valid(token, HOST, made + 299.0)
    assert not some.is_valid(token, HOST, made + 601.0)


def test_a_token_is_of_one_address() -> None:
    some = tokens()
    assert not some.is_valid(some.token_for(HOST, 0.0), "5.6.7.9", 0.0)


def test_after_a_long_sleep_no_old_token_holds() -> None:
    some = tokens()
    token = some.token_for(HOST, 0.0)
    assert not some.is_valid(token, HOST, 10_000.0)


@pytest.mark.parametrize("token", [b"", b"sybil", bytes(6), bytes(64)])
def test_what_was_not_given_out_does_not_hold(token: bytes) -> None:
    assert not tokens().is_valid(token, HOST, 0.0)
