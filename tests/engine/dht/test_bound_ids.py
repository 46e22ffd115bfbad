import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.dht.bound_ids import bind_id, crc32c, is_bound

# BEP 42, test vectors: address, random byte, id
VECTORS = [
    ("124.31.75.21", 1, "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
    ("21.75.31.124", 86, "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
    ("65.23.51.170", 22, "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
    ("84.124.73.14", 65, "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
    ("43.213.53.83", 90, "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
]


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(("host", "random", "text"), VECTORS)
def test_the_ids_of_bep_42_are_bound_to_their_addresses(host: str, random: int, text: str) -> None:
    own_id = bytes.fromhex(text)
    assert is_bound(own_id, host)
    assert not is_bound(own_id, "9.9.9.9")
    assert bind_id(host, own_id[:19] + bytes((random,))) == own_id


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.binary(min_size=20, max_size=20))
def test_an_id_that_is_made_for_an_address_is_bound_to_it(host: object, random: bytes) -> None:
    assert is_bound(bind_id(str(host), random), str(host))


@given(st.binary(min_size=20, max_size=20))
def test_any_id_will_do_in_the_local_network(own_id: bytes) -> None:
    assert is_bound(own_id, "192.168.1.1")
    assert is_bound(own_id, "::1")
