"""The group, the keys that it refuses, and what is derived."""

from hashlib import sha1

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.mse.keys import (
    KEY_SIZE,
    PRIME,
    check_key,
    name_mark,
    public_key,
    shared_secret,
    stream_keys,
    sync_mark,
    veiled,
)

SECRETS = st.binary(min_size=20, max_size=20)


@settings(max_examples=30)
@given(SECRETS)
def test_a_public_key_is_two_to_the_power_of_the_secret(secret: bytes) -> None:
    assert int.from_bytes(public_key(secret)) == pow(2, int.from_bytes(secret), PRIME)
    assert len(public_key(secret)) == KEY_SIZE


@settings(max_examples=20)
@given(SECRETS, SECRETS)
def test_both_sides_come_to_the_same_secret(ours: bytes, theirs: bytes) -> None:
    assert shared_secret(ours, public_key(theirs)) == shared_secret(theirs, public_key(ours))


def test_the_prime_is_that_of_the_second_oakley_group_cut_short() -> None:
    assert PRIME.bit_length() == 768
    assert pow(2, PRIME - 1, PRIME) == 1
    assert pow(3, PRIME - 1, PRIME) == 1


@pytest.mark.parametrize("key", [0, 1, PRIME - 1, PRIME, PRIME + 1, PRIME + 2, (1 << 768) - 1])
def test_a_key_that_leaves_no_secret_is_refused(key: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_key(key.to_bytes(KEY_SIZE))
    assert caught.value.offence is Offence.BAD_ENCRYPTION


@pytest.mark.parametrize("key", [2, 3, PRIME - 2])
def test_any_other_key_is_taken(key: int) -> None:
    check_key(key.to_bytes(KEY_SIZE))


def test_what_is_derived_is_as_the_specification_writes_it() -> None:
    shared, name = bytes(range(96)), b"n" * 20
    assert sync_mark(shared) == sha1(b"req1" + shared, usedforsecurity=False).digest()
    assert name_mark(name) == sha1(b"req2" + name, usedforsecurity=False).digest()
    first = sha1(b"keyA" + shared + name, usedforsecurity=False).digest()
    second = sha1(b"keyB" + shared + name, usedforsecurity=False).digest()
    assert stream_keys(shared, name) == (first, second)


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=96, max_size=96))
def test_a_veiled_mark_is_unveiled_by_veiling_it_again(mark: bytes, shared: bytes) -> None:
    assert veiled(veiled(mark, shared), shared) == mark
    assert len(veiled(mark, shared)) == 20
