from random import Random

from bittern.engine.dht.bound_ids import is_bound
from bittern.engine.dht.identity import NEEDED, REST_SECONDS, VOTES, Identity

HERE, ELSEWHERE = "5.6.7.8", "5.6.7.9"
OLD = b"\x55" * 20


def voters(count: int, first: int = 0) -> list[str]:
    return [f"66.{number >> 8}.{number & 255}.1" for number in range(first, first + count)]


def identity() -> Identity:
    return Identity(OLD, Random(1).randbytes)


def test_when_enough_networks_agree_the_id_is_bound_to_our_address() -> None:
    we = identity()
    changed = [we.told(voter, HERE, 0.0) for voter in voters(NEEDED + 3)]
    assert changed == [False] * (NEEDED - 1) + [True] + [False] * 3
    assert is_bound(we.id, HERE)


def test_one_network_has_one_vote() -> None:
    we = identity()
    assert not any(we.told(f"66.1.1.{number}", HERE, 0.0) for number in range(1, 200))
    assert we.id == OLD


def test_whose_vote_is_forgotten_needs_no_memory() -> None:
    """A node that runs for months hears of tens of thousands of networks."""
    we = identity()
    for voter in voters(20 * VOTES):
        we.told(voter, HERE, 0.0)
    assert len(we._votes) == VOTES
    assert not we.told(voters(1, 20 * VOTES - 1)[0], ELSEWHERE, 0.0)


def test_whoever_says_something_else_than_before_is_heard() -> None:
    """Who knows but few networks learns of another address of ours from the same ones."""
    we = identity()
    for voter in voters(VOTES):
        we.told(voter, HERE, 0.0)
    assert sum(we.told(voter, ELSEWHERE, REST_SECONDS) for voter in voters(VOTES)) == 1
    assert is_bound(we.id, ELSEWHERE)


def test_nodes_of_one_family_know_nothing_of_our_address_in_the_other() -> None:
    we = identity()
    assert not any(we.told(voter, "2001:db9::1", 0.0) for voter in voters(VOTES))
    assert not any(we.told(f"2001:db9:{number:x}::1", HERE, 0.0) for number in range(VOTES))
    assert we.id == OLD


def test_a_third_of_liars_changes_nothing_by_itself() -> None:
    we = identity()
    for number, voter in enumerate(voters(VOTES * 2)):
        we.told(voter, ELSEWHERE if number % 3 == 0 else HERE, 0.0)
    assert not is_bound(we.id, ELSEWHERE)


def test_the_local_network_knows_nothing_of_where_we_are() -> None:
    we = identity()
    assert not any(we.told(f"192.168.{number}.1", HERE, 0.0) for number in range(100))
    assert not any(we.told(voter, "10.0.0.1", 0.0) for voter in voters(100))
    assert we.id == OLD


def test_the_id_does_not_change_more_than_once_an_hour() -> None:
    we = identity()
    for voter in voters(VOTES):
        we.told(voter, HERE, 0.0)
    before = we.id
    assert not any(we.told(voter, ELSEWHERE, 1.0) for voter in voters(VOTES, 1000))
    assert we.id == before
    assert any(we.told(voter, ELSEWHERE, REST_SECONDS) for voter in voters(1, 2000))
    assert is_bound(we.id, ELSEWHERE)


def test_an_id_that_is_bound_stays() -> None:
    we = identity()
    for voter in voters(NEEDED):
        we.told(voter, HERE, 0.0)
    again = Identity(we.id, Random(2).randbytes)
    assert not any(again.told(voter, HERE, 0.0) for voter in voters(VOTES))
    assert again.id == we.id
