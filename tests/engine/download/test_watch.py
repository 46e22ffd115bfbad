from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.asking import top_up
from bittern.engine.download.download import Download
from bittern.engine.download.watch import HURRIED_SECONDS, watch
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from tests.engine.content import info_of
from tests.engine.hall import Hall


def make(buffer_bytes: int = 1 << 20) -> tuple[Hall, Download, Peer, Peer]:
    """Two peers, of whom the first was asked for something."""
    hall = Hall()
    info, _ = info_of(8 * BLOCK, 4 * BLOCK)
    settings = EngineSettings(buffer_bytes=buffer_bytes, sequential=True)
    download = Download(1, info, Bitfield(2), Bitfield.full(2), settings, Random(1))
    ann, bob = hall.comes("10.0.0.1", download), hall.comes("10.0.0.2", download)
    for peer in (ann, bob):
        peer.peer_choking, peer.am_interested = False, True
    top_up(ann, [ann, bob], download, 0.0)
    return hall, download, ann, bob


def test_who_owes_something_and_is_silent_is_asked_for_nothing_more_and_others_may_be() -> None:
    hall, download, ann, bob = make()
    assert ann.pipeline is not None
    assert bob.pipeline is not None
    watch(hall.company, download, 30.0, 29.0, congested=False)
    assert ann.pipeline.outstanding
    watch(hall.company, download, 30.0, 31.0, congested=False)
    assert (ann.pipeline.snubbed, bob.pipeline.snubbed) == (True, False)
    assert not ann.pipeline.outstanding
    assert sorted(hall.company.touched) == [ann.number, bob.number]


def test_it_is_not_silence_when_it_is_we_who_do_not_listen() -> None:
    hall, download, ann, _ = make()
    watch(hall.company, download, 30.0, 100.0, congested=True)
    assert ann.pipeline is not None
    assert not ann.pipeline.snubbed


def test_patience_is_short_while_there_is_no_memory_for_other_blocks() -> None:
    hall, download, ann, _ = make(buffer_bytes=8 * BLOCK)
    assert download.assembly.slabs.exhausted
    watch(hall.company, download, 30.0, HURRIED_SECONDS + 0.1, congested=False)
    assert ann.pipeline is not None
    assert ann.pipeline.snubbed


def test_who_refused_may_be_asked_again_after_a_second_and_before_the_metadata_nobody_is_snubbed() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    ann.refusing = True
    watch(hall.company, None, 30.0, 100.0, congested=False)
    assert not ann.refusing
    assert hall.company.touched == {ann.number: ann}


def test_who_may_give_and_is_asked_for_nothing_is_looked_at_again_each_second() -> None:
    """What others owe may have become worth taking from them."""
    hall, download, _, bob = make()
    hall.company.touched.clear()
    watch(hall.company, download, 30.0, 1.0, congested=False)
    assert list(hall.company.touched) == [bob.number]
    hall.company.touched.clear()
    bob.peer_choking = True
    watch(hall.company, download, 30.0, 2.0, congested=False)
    assert not hall.company.touched
