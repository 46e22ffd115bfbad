"""The PORT message of BEP 5: who has a node says so, and tells where, both ways; what is heard is only handed on."""

import pytest

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine.events import NodeHeard
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.nodes import NodeExchange
from bittern.engine.swarm.welcome import OUR_BITS
from bittern.testing import Playbook
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.messages import Have, HaveAll, Message, Port
from tests.engine.hall import Hall, said

WITH_NODE = EngineSettings(listen_port=6881, dht_port=7000)


def hello(bits: Reserved = Reserved.DHT) -> Handshake:
    return Handshake(bits.to_bytes(8), InfoHashV1(bytes(20)), PeerId(b"-XX0000-000000000000"))


def exchange(settings: EngineSettings, *, on: bool) -> tuple[NodeExchange, Hall]:
    hall = Hall()
    hall.shared.ourselves.move(settings.listen_port, settings.dht_port)
    return NodeExchange(hall.shared, on=on), hall


def test_who_has_a_node_too_is_told_of_ours() -> None:
    nodes, hall = exchange(WITH_NODE, on=True)
    assert nodes.bits == Reserved.DHT
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    nodes.greet(ann, hello())
    nodes.greet(bob, hello(OUR_BITS))
    assert (said(ann), said(bob)) == ([Port(7000)], [])


@pytest.mark.parametrize(("settings", "on"), [(WITH_NODE, False), (EngineSettings(), True)])
def test_where_there_is_no_node_or_the_torrent_is_private_nothing_is_said_or_heard(
    settings: EngineSettings,
    on: bool,  # noqa: FBT001 - a parameter
) -> None:
    nodes, hall = exchange(settings, on=on)
    ann = hall.comes("10.0.0.1")
    nodes.greet(ann, hello())
    nodes.heard(ann, 7)
    assert (nodes.bits, said(ann), hall.events()) == (Reserved(0), [], [])


def test_the_first_word_of_a_peer_counts_however_often_it_speaks() -> None:
    nodes, hall = exchange(WITH_NODE, on=True)
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    for port in (0, *range(1, 100)):
        nodes.heard(ann, port)
    nodes.heard(bob, 7)
    assert hall.events() == [NodeHeard(Address("10.0.0.1", 1)), NodeHeard(Address("10.0.0.2", 7))]


def test_the_bit_is_in_both_handshakes_and_what_is_said_is_heard() -> None:
    """By a whole engine: it says what it has first."""
    with Playbook(have="1", settings=WITH_NODE) as play:
        play.joins("ann", node=True).joins("bob", node=True, dialed=True).joins("cas")
        for name in ("ann", "bob", "cas"):
            heard = play.actors[name].greeted
            assert heard is not None
            assert heard.supports(Reserved.DHT)
        assert play.greeting("ann") == play.greeting("bob") == [HaveAll(), Port(7000)]
        assert play.greeting("cas") == [HaveAll()]
        words: list[Message] = [Port(1), Port(2)]
        play.says("ann", *words)
        heard_of = [event for event in play.events if isinstance(event, NodeHeard)]
        assert heard_of == [NodeHeard(Address(play.actors["ann"].host.address.host, 1))]


def test_without_a_node_the_bit_is_not_set() -> None:
    with Playbook() as play:
        play.joins("ann", have="1", node=True)
        assert Port not in set(map(type, play.greeting("ann")))
        play.says("ann", Port(1), Have(0))
        assert not any(isinstance(event, NodeHeard) for event in play.events)


def test_who_comes_after_our_node_moved_hears_the_new_port() -> None:
    nodes, hall = exchange(WITH_NODE, on=True)
    ann = hall.comes("10.0.0.1")
    hall.shared.ourselves.move(6881, 9)
    nodes.greet(ann, hello())
    assert said(ann) == [Port(9)]
