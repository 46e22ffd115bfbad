import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.tracker import connection_ids as module
from bittern.tracker.connection_ids import SLOT_SECONDS, VALID_SECONDS, ConnectionIds

KEY = bytes(range(32))
HOSTS = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


@given(host=HOSTS, given_at=st.floats(0, 1e7), later=st.floats(0, 400))
def test_an_id_is_good_for_two_minutes_and_a_slot_at_most(host: bytes, given_at: float, later: float) -> None:
    ids = ConnectionIds(KEY)
    connection = ids.give(host, given_at)
    assert len(connection) == 8
    good = ids.valid(connection, host, given_at + later)
    if later <= VALID_SECONDS:
        assert good
    if later >= VALID_SECONDS + SLOT_SECONDS:
        assert not good
    assert ConnectionIds(KEY).valid(connection, host, given_at + later) == good


@given(HOSTS, HOSTS, st.binary(min_size=8, max_size=8))
def test_it_is_good_for_one_address_and_can_not_be_guessed(host: bytes, other: bytes, guess: bytes) -> None:
    ids = ConnectionIds(KEY)
    connection = ids.give(host, 1000.0)
    assert ids.valid(connection, other, 1000.0) == (other == host)
    assert ids.valid(guess, host, 1000.0) == (guess == connection)
    assert not ConnectionIds(bytes(32)).valid(connection, host, 1000.0)


def test_checks_between_do_not_make_it_last_longer() -> None:
    ids = ConnectionIds(KEY)
    connection = ids.give(b"host", 0.0)
    good = [now for now in range(300) if ids.valid(connection, b"host", float(now))]
    assert VALID_SECONDS <= max(good) < VALID_SECONDS + SLOT_SECONDS


def test_a_flood_of_addresses_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHED", 100)
    ids = ConnectionIds(KEY)
    given_out = {number.to_bytes(4): ids.give(number.to_bytes(4), 5.0) for number in range(1000)}
    assert len(ids._good) <= 100
    assert all(ids.valid(connection, host, 6.0) for host, connection in given_out.items())
