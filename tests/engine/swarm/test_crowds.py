"""Who makes room among the companies of all torrents."""

from bittern.engine.swarm.crowds import Crowds
from bittern.engine.swarm.peer import Peer
from tests.engine.peers import make_peer


class Few:
    """A crowd of those that are of no use."""

    def __init__(self, *joined_at: float) -> None:
        self.silent = []
        for number, at in enumerate(joined_at, start=1):
            peer = make_peer(number)
            peer.joined_at = at
            self.silent.append(peer)

    def unheard(self, now: float) -> Peer | None:
        return next((peer for peer in self.silent if peer.joined_at <= now), None)

    def give_way(self, peer: Peer, now: float) -> None:
        assert peer.joined_at <= now
        self.silent.remove(peer)


def test_the_first_of_all_goes_wherever_it_is() -> None:
    crowds, few, more, none = Crowds(), Few(2.0, 3.0), Few(1.0, 4.0), Few()
    for torrent, crowd in enumerate((few, more, none)):
        crowds.gathered(torrent, crowd)
    left = []
    for _ in range(5):
        crowds.relieve(3.5)
        left.append((len(few.silent), len(more.silent)))
    assert left == [(2, 1), (1, 1), (0, 1), (0, 1), (0, 1)]


def test_who_has_nobody_is_not_asked() -> None:
    crowds, few = Crowds(), Few(1.0)
    crowds.gathered(1, few)
    crowds.gathered(1, few)
    crowds.scattered(1)
    crowds.scattered(1)
    crowds.relieve(9.0)
    assert (len(crowds), len(few.silent)) == (0, 1)
