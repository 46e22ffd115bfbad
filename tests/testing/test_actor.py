from random import Random

from bittern.base.ids import InfoHashV1
from bittern.sim.host import Cut
from bittern.sim.network import Network
from bittern.sim.world import World
from bittern.testing.actor import Actor
from bittern.wire.messages import BitfieldMessage, Have, KeepAlive, Message, Piece, Unknown
from bittern.wire.stream import LinkLost, LossKind

HASH = InfoHashV1(bytes(20))


def test_an_actor_hears_messages_however_their_bytes_are_cut_and_the_end() -> None:
    network = Network(world := World(Random))
    ann, bob = (Actor.on(network.host(name), HASH, bytes(8)) for name in ("ann", "bob"))
    ann.host.cut = bob.host.cut = Cut.BYTES
    bob.host.acceptor = bob
    network.connect(ann.host, bob.host.address, ann.connected, lambda _: None)
    messages: list[Message] = [BitfieldMessage(b"\xf0"), KeepAlive(), Piece(1, 2, b"data"), Unknown(77, b"x"), Have(3)]
    ann.say(ann.hello.encode() + b"".join(message.encode() for message in messages))
    world.run(1.0)
    assert bob.greeted == ann.hello
    assert ann.hello.peer_id == b"-PL0000-ann........."
    assert bob.take_heard() == messages
    assert bob.take_heard() == []
    assert ann.link is not None
    ann.link.close()
    world.run(1.0)
    assert bob.lost_by == LinkLost(LossKind.CLOSED)
