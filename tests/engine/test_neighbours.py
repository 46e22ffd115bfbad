"""The local network and the torrents of a core: who is announced, and who is told of newcomers."""

from random import Random

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.tracing import silent
from bittern.engine.directory import Directory
from bittern.engine.dormitory import Dormitory, Sleeper
from bittern.engine.effects import AnnounceLocally
from bittern.engine.events import SleeperCalled
from bittern.engine.neighbours import Neighbours
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.lsd import FIRST_SECONDS, LEAST_SECONDS, LocalSearch
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.lsd import GROUP_V4, LocalAnnounce

ONE, TWO, THREE = (InfoHashV1(bytes([number]) * 20) for number in (1, 2, 3))


class Case:
    """Torrents of a core that is not there."""

    def __init__(self) -> None:
        chance = World(Random, 0).chance("x")
        ours = PeerId(b"-BZ0000-ourselvesxxx")
        self.shared = Shared(EngineSettings(), ours, chance, lambda *_: False, silent)
        self.torrents: dict[int, Torrent] = {}
        self.dormitory = Dormitory(self.shared)
        self.directory = Directory(self.dormitory)
        self.neighbours = Neighbours(LocalSearch(6881, "us"), self.torrents, self.directory, self.dormitory)

    def adds(self, name: InfoHashV1) -> Torrent:
        torrent = Torrent(len(self.torrents) + 1, name, (), self.shared, 0.0)
        self.torrents[torrent.number] = torrent
        self.directory.enter(torrent)
        self.neighbours.stir(0.0)
        return torrent

    def hears(self, *names: InfoHashV1, now: float = 0.0) -> None:
        self.neighbours.heard(LocalAnnounce(7000, names).encode(GROUP_V4), "10.0.0.9", now)

    def says(self, now: float) -> list[tuple[InfoHashV1, ...]]:
        effects = self.neighbours.advance(now)
        return [effect.announce.info_hashes for effect in effects if isinstance(effect, AnnounceLocally)]


def test_all_that_take_part_are_announced_by_all_their_names_together() -> None:
    case = Case()
    case.adds(ONE)
    case.adds(TWO).pause(0.0)
    assert case.says(FIRST_SECONDS / 2) == []
    assert case.neighbours.search.next_due() == FIRST_SECONDS
    assert case.says(FIRST_SECONDS) == [(ONE,)]
    assert case.says(FIRST_SECONDS) == []


def test_a_newcomer_is_remembered_for_the_torrents_it_names_and_answered() -> None:
    case = Case()
    torrent, other = case.adds(ONE), case.adds(TWO)
    assert case.says(FIRST_SECONDS) == [(ONE, TWO)]
    case.hears(ONE, THREE, now=2.0)
    assert torrent.peerbook.counts == {Source.LSD: 1}
    assert Address("10.0.0.9", 7000) in torrent.peerbook
    assert len(other.peerbook) == 0
    assert case.says(FIRST_SECONDS + LEAST_SECONDS) == [(ONE,)]


def test_a_hybrid_is_meant_by_either_name() -> None:
    case = Case()
    torrent = case.adds(ONE)
    case.directory.also(TWO, ONE)
    case.hears(TWO)
    assert torrent.peerbook.counts == {Source.LSD: 1}


def test_who_sleeps_is_called_and_not_told_of_whom() -> None:
    case = Case()
    case.dormitory.put(Sleeper(5, ONE, ()), 0.0)
    case.hears(ONE)
    assert case.shared.events == [SleeperCalled(5, ONE)]


def test_nothing_is_due_any_more_when_nobody_is_awake() -> None:
    case = Case()
    case.adds(ONE)
    case.says(FIRST_SECONDS)
    case.torrents.clear()
    due = case.neighbours.search.next_due()
    assert case.says(due) == []
    assert case.neighbours.search.next_due() == float("inf")
