import re

from bittern.tools.lab.client import Client, new_peer_id


def test_the_peer_id_names_program_and_version_and_is_random() -> None:
    """BEP 20."""
    ids = {new_peer_id() for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(rb"-BZ\d{4}-[0-9a-f]{12}", one) for one in ids)


def test_every_run_is_somebody_else() -> None:
    assert Client().peer_id != Client().peer_id


def test_the_port_is_none_that_networks_block() -> None:
    assert not 6881 <= Client().port <= 6889
