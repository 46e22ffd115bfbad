"""Rare courses of events that whole swarms have met, retold as short scripts."""

from random import Random

from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.events import Completed
from bittern.sim.network import Network
from bittern.testing.playbook import Playbook
from bittern.wire.messages import Interested, Request
from tests.sim.toys import Toy


def test_a_block_given_up_half_way_and_asked_of_the_same_peer_again_is_owed_once() -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("ann", have="10", fast=False).unchokes("ann").heard("ann")
        play.says_raw("ann", play.block(0).encode()[:5000]).waits(35.0)
        assert play.heard("ann")[0] == Request(0, 0, BLOCK)  # snubbed, and asked for one block again
        play.joins("carl", have="01").unchokes("carl")  # owes piece 1 for the rest of the script
        play.joins("bob", have="10").unchokes("bob").expect("bob", Request(0, BLOCK, BLOCK))
        play.gives("bob", 0, BLOCK).expect("bob", Request(0, 0, BLOCK)).gives("bob", 0)
        assert play.have == "10"
        play.joins("dan", have="11").unchokes("dan")
        asked = {message for message in play.heard("dan") if isinstance(message, Request)}
        assert {message.piece for message in asked} == {1}


def test_what_a_disk_still_wrote_of_the_jobs_from_before_it_failed_is_not_asked_again() -> None:
    with Playbook(pieces=2) as play:
        disk = play.process.disk
        disk.latency = 1.0
        play.joins("ann", have="11").unchokes("ann").heard("ann")
        disk.faults.broken = StorageError.Kind.IO
        play.gives("ann", 0).gives("ann", 1).waits(1.2)  # the first write failed, the second is under way
        play.process.repair()
        play.waits(0.1).expect("ann")
        play.waits(2.0)
        assert sorted(message.piece for message in play.heard("ann") if isinstance(message, Request)) == [0]
        play.gives("ann", 0).waits(5.0)
        assert play.have == "11"
        assert Completed(1) in play.events


def test_a_stranger_that_says_nothing_is_dropped_after_its_time_whatever_the_clock_says() -> None:
    # Ten seconds later minus ten seconds is not always the same instant, in floating point.
    with Playbook() as play:
        network: Network = play.network
        host = network.host("stranger")
        rng = Random(8)
        toys = [Toy() for _ in range(200)]
        for toy in toys:
            play.waits(rng.random())
            network.connect(host, play.process.host.address, lambda _, toy=toy: toy, lambda _: None)  # type: ignore[misc]
        play.waits(11.0)
        assert all(toy.loss is not None for toy in toys)


def test_the_rest_of_a_half_sent_block_that_comes_late_is_no_offence() -> None:
    with Playbook(blocks=1) as play:
        play.joins("ann", have="1", fast=False).unchokes("ann").heard("ann")
        message = play.block(0).encode()
        play.says_raw("ann", message[:9000]).waits(40.0).expect("ann", Request(0, 0, BLOCK))
        play.says_raw("ann", message[9000:]).gives("ann", 0)
        assert play.have == "1"


def test_interest_is_told_once_for_each_change() -> None:
    with Playbook(pieces=3) as play:
        play.joins("ann", have="000").has("ann", 0).has("ann", 1).has("ann", 2)
        play.expect("ann", Interested())
