from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.dht.bloom import Filter
from bittern.engine.dht.peers import KEEP_SECONDS, MAX_OF_ONE, MAX_PEERS, MAX_TORRENTS, PeerStore

HASH, OTHER = bytes(20), b"\1" * 20
OWN = bytes(20)


def store() -> PeerStore:
    return PeerStore(OWN, Random(1))


def address(number: int, port: int = 1) -> Address:
    return Address(f"5.{number >> 16}.{number >> 8 & 255}.{number & 255}", port)


def number_hash(number: int) -> bytes:
    return number.to_bytes(20)


def test_each_address_is_there_once_with_its_last_port_and_state() -> None:
    some = store()
    some.add(HASH, address(1, 10), 0.0, seed=False)
    some.add(HASH, address(1, 20), 1.0, seed=True)
    assert some.some(HASH, 50, 2.0) == [address(1, 20).compact()]
    filters = some.filters(HASH, 2.0)
    assert filters is not None
    assert [round(each.count()) for each in filters] == [1, 0]


def test_peers_of_the_local_network_are_told_apart_by_their_ports() -> None:
    some = store()
    some.add(HASH, Address("127.0.0.1", 1), 0.0, seed=False)
    some.add(HASH, Address("127.0.0.1", 2), 0.0, seed=False)
    assert len(some.some(HASH, 50, 0.0)) == 2


def test_who_does_not_come_again_is_forgotten() -> None:
    some = store()
    some.add(HASH, address(1), 0.0, seed=False)
    some.add(HASH, address(2), 10.0, seed=False)
    some.add(HASH, address(1), 20.0, seed=False)
    assert some.some(HASH, 50, 11.0 + KEEP_SECONDS) == [address(1).compact()]
    some.expire(21.0 + KEEP_SECONDS)
    assert len(some) == 0
    assert some.filters(HASH, 21.0 + KEEP_SECONDS) is None


def test_seeds_come_last_for_who_wants_none() -> None:
    some = store()
    for number in range(10):
        some.add(HASH, address(number), 0.0, seed=number < 6)
    others = {address(number).compact() for number in range(6, 10)}
    assert set(some.some(HASH, 4, 0.0, no_seeds=True)) == others
    assert len(some.some(HASH, 6, 0.0, no_seeds=True)) == 6
    assert others < set(some.some(HASH, 6, 0.0, no_seeds=True))


def test_a_torrent_takes_so_many_peers_and_no_more() -> None:
    some = store()
    assert all(some.add(HASH, address(number), 0.0, seed=False) for number in range(MAX_PEERS))
    assert not some.has_room(HASH, address(MAX_PEERS))
    assert some.has_room(HASH, address(0, 7))  # it is there, and may say that it still is
    assert not some.add(HASH, address(MAX_PEERS), 0.0, seed=False)
    assert some.add(HASH, address(0), 0.0, seed=True)
    assert some.has_room(OTHER, address(MAX_PEERS))


def test_one_address_does_not_fill_the_store() -> None:
    some = store()
    taken = [some.add(number_hash(number), address(1), 0.0, seed=False) for number in range(MAX_OF_ONE + 5)]
    assert taken.count(True) == MAX_OF_ONE
    assert some.add(HASH, address(2), 0.0, seed=False)


def test_when_there_are_too_many_torrents_the_farthest_go() -> None:
    some = store()
    for number in range(MAX_TORRENTS):
        some.add(number_hash(2 * number + 2), address(number % 50), 0.0, seed=False)
    assert not some.add(number_hash(10_000), address(99), 0.0, seed=False)
    assert some.add(number_hash(1), address(99), 0.0, seed=False)
    assert len(some) == MAX_TORRENTS
    assert some.some(number_hash(2 * MAX_TORRENTS), 1, 0.0) == []


def test_a_sample_stays_for_an_hour_once_it_is_whole() -> None:
    some = store()
    assert some.sample(0.0) == (b"", 3600.0)
    some.add(HASH, address(1), 0.0, seed=False)
    assert some.sample(100.0) == (HASH, 3500.0)
    for number in range(100):
        some.add(number_hash(number), address(1), 0.0, seed=False)
    sample, _ = some.sample(200.0)
    assert len(sample) == 20 * 20
    assert some.sample(3599.0) == (sample, 1.0)
    assert some.sample(3600.0)[0] != sample


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans(), st.integers(0, 4000).map(float)), max_size=40
    )
)
def test_it_does_as_a_list_of_announces_would(announces: list[tuple[int, int, bool, float]]) -> None:
    some = store()
    now, model = 0.0, dict[tuple[int, int], float]()
    for torrent, peer, seed, later in announces:
        now += later
        some.add(number_hash(torrent), address(peer), now, seed=seed)
        model[torrent, peer] = now + KEEP_SECONDS
        for other in range(4):
            expected = {address(p).compact() for (t, p), until in model.items() if t == other and until > now}
            assert set(some.some(number_hash(other), 50, now)) == expected
            filters = some.filters(number_hash(other), now)
            assert (filters is None) == (not expected)
            assert filters is None or all(isinstance(each, Filter) for each in filters)
