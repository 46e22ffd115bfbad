from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, InfoHashV2, PeerId
from bittern.engine.swarm.names import Names
from bittern.wire.handshake import Handshake, Reserved

HERE, THERE = Address("10.0.0.1", 1), Address("10.0.0.2", 1)
V1, V2 = InfoHashV1(b"1" * 20), InfoHashV2(b"2" * 32)
SHORT = V2.truncated()


def hello(name: InfoHashV1, bits: Reserved = Reserved(0)) -> Handshake:  # noqa: B008 - a constant
    return Handshake(bits.to_bytes(8), name, PeerId(bytes(20)))


def test_a_torrent_of_one_version_has_one_name() -> None:
    for wire_hash, v1, v2 in ((V1, V1, None), (SHORT, None, V2)):
        names = Names(wire_hash)
        names.learn(v1, v2)
        assert names.all == (wire_hash,)
        assert names.dialed(HERE) == wire_hash
        assert not names.reserved(wire_hash)
        assert names.answer(hello(wire_hash, Reserved.V2)) == wire_hash


def test_a_hybrid_is_dialed_as_version_1_with_an_offer_and_goes_on_as_version_2() -> None:
    """BEP 52: the 4th most significant bit of the last reserved byte."""
    for first in (V1, SHORT):
        names = Names(first)
        names.learn(V1, V2)
        assert names.all[0] == first
        assert set(names.all) == {V1, SHORT}
        assert names.dialed(HERE) == V1
        assert not names.reserved(SHORT)
        assert names.reserved(V1).to_bytes(8) == b"\0\0\0\0\0\0\0\x10"
        assert names.answer(hello(V1, Reserved.V2)) == SHORT
        assert names.answer(hello(V1)) == V1
        assert names.answer(hello(SHORT)) == SHORT


def test_a_link_by_version_2_alone_learns_its_other_name_from_the_metadata() -> None:
    names = Names(SHORT)
    names.learn(None, V2)
    assert names.dialed(HERE) == SHORT
    names.learn(V1, None)
    assert names.all == (SHORT, V1)


def test_members_of_the_swarm_of_version_2_are_called_by_its_hash() -> None:
    """Who came by a link to that alone knows no other name."""
    names = Names(V1)
    names.learn(V1, V2)
    names.met([HERE], V1)
    names.met([THERE], SHORT)
    assert names.dialed(HERE) == V1
    assert names.dialed(THERE) == SHORT
