from bittern.engine.download.suspects import STRIKES, culprits
from tests.engine.peers import make_peer


def test_who_sent_all_of_it_is_guilty_at_once() -> None:
    ann = make_peer(1)
    assert culprits([1], {1: ann}) == [ann]


def test_among_several_it_takes_some_failures() -> None:
    ann, bob = make_peer(1), make_peer(2)
    peers = {1: ann, 2: bob}
    for _ in range(STRIKES - 1):
        assert culprits([1, 2], peers) == []
    assert culprits([2, 7], peers) == [bob]
    assert ann.strikes == STRIKES - 1


def test_who_is_gone_makes_the_others_no_more_guilty() -> None:
    """Two sent it, one has left: the other did not send it alone."""
    ann = make_peer(1)
    assert culprits([1, 2], {1: ann}) == []
    assert culprits([2], {1: ann}) == []
    assert ann.strikes == 1
