"""One or two clients, told of each other."""

from random import Random

from bittern.base.errors import StorageError
from bittern.engine.events import Completed, MetadataReceived, PieceFailed, PieceStored, StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.sim.content import Content, make_content
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World


class Two:
    """A seed called ann, and bob, who knows of her."""

    def __init__(self, seed: int = 0) -> None:
        self.world = World(Random, seed)
        self.network, web = Network(self.world), Web()
        self.content: Content = make_content(self.world, size=300_000, piece_size=32768)
        settings = EngineSettings(listen_port=PORT)
        self.ann = SimProcess(self.network.host("ann"), web, settings)
        self.bob = SimProcess(self.network.host("bob"), web, settings)
        self.ann.seed(self.content)

    def leech(self) -> None:
        self.bob.know(self.bob.leech(self.content), self.ann)


def test_a_leecher_gets_every_piece_once_and_is_complete() -> None:
    two = Two()
    two.leech()
    two.world.run(5.0)
    events = [event for _, event in two.bob.events]
    assert sorted(event.piece for event in events if isinstance(event, PieceStored)) == list(range(10))
    assert two.bob.disk.content(1) == two.content.data
    assert two.bob.disk.counts.written == 300_000
    assert 0 < two.bob.completed[1] < 1.0
    assert two.ann.completed[1] == 0.0


def test_a_magnet_needs_nothing_but_a_peer() -> None:
    two = Two()
    two.bob.know(two.bob.magnet(two.content), two.ann)
    two.world.run(5.0)
    kinds = [type(event) for _, event in two.bob.events]
    assert kinds.index(MetadataReceived) < kinds.index(Completed)
    assert two.bob.disk.content(1) == two.content.data


def test_what_the_engine_believes_to_have_is_compared_with_the_disk() -> None:
    two = Two()
    two.leech()
    two.world.run(5.0)
    assert two.bob.wrong_pieces() == []
    files = two.bob.disk.content(1)
    assert isinstance(files, bytearray)
    files[40_000] ^= 1
    assert two.bob.wrong_pieces() == [(1, 1)]


def test_a_rotten_seed_is_found_out_and_nothing_wrong_is_kept() -> None:
    two = Two()
    two.ann.disk.faults.rot = 2
    two.leech()
    two.world.run(60.0)
    assert any(isinstance(event, PieceFailed) for _, event in two.bob.events)
    assert not two.bob.completed
    assert two.bob.wrong_pieces() == []


def test_a_repaired_disk_goes_on_where_it_stopped() -> None:
    two = Two()
    two.bob.disk.faults.space_left = 100_000
    two.leech()
    two.world.run(30.0)
    failures = [event for _, event in two.bob.events if isinstance(event, StorageFailed)]
    assert [failure.error.kind for failure in failures] == [StorageError.Kind.DISK_FULL]
    assert not two.bob.completed
    two.bob.repair()
    two.world.run(30.0)
    assert two.bob.disk.content(1) == two.content.data
    assert 1 in two.bob.completed


def test_a_process_that_was_stopped_does_nothing_more() -> None:
    two = Two()
    two.leech()
    two.world.run(0.1)
    two.bob.stop()
    count = len(two.bob.events)
    two.world.run(60.0)
    assert len(two.bob.events) == count
    assert not two.bob.completed
