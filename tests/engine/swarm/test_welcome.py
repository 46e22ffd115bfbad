import pytest

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.priority import Ourselves, priority
from bittern.engine.swarm.welcome import (
    CROSSING_SECONDS,
    LT_DONTHAVE,
    UT_HOLEPUNCH,
    UT_METADATA,
    UT_PEX,
    crosses,
    introduce,
    our_handshake,
    rouse,
)
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.handshake import Reserved
from bittern.wire.messages import BitfieldMessage, Extended, HaveAll, HaveNone, Message
from bittern.wire.mse.policy import Encryption
from tests.engine.peers import Line, make_peer, messages_of, take_sent

SETTINGS = EngineSettings(listen_port=51413, max_requests_queued=77, user_agent="bittern/1")


def test_our_handshake_says_what_we_speak() -> None:
    hello = our_handshake(InfoHashV1(bytes(20)), PeerId(b"-BZ0000-abcdefghijkl"))
    assert hello.supports(Reserved.FAST | Reserved.LTEP)
    assert not hello.supports(Reserved.DHT)
    assert len(hello.encode()) == 68


@pytest.mark.parametrize(
    ("fast", "have", "said"),
    [
        (True, Bitfield.full(9), [HaveAll()]),
        (True, Bitfield(9, [0, 8]), [BitfieldMessage(b"\x80\x80")]),
        (True, Bitfield(9), [HaveNone()]),
        (True, None, [HaveNone()]),
        (False, Bitfield.full(9), [BitfieldMessage(b"\xff\x80")]),
        (False, Bitfield(9, [1]), [BitfieldMessage(b"\x40\x00")]),
        (False, Bitfield(9), []),
        (False, None, []),
    ],
)
def test_the_first_word_says_what_we_have(fast: bool, have: Bitfield | None, said: list[Message]) -> None:  # noqa: FBT001 - a parameter
    peer = make_peer(fast=fast)
    introduce(peer, SETTINGS, Ourselves(51413), None, have, upload_only=False, pex=True)
    assert messages_of(take_sent(peer)) == said


@pytest.mark.parametrize("size", [None, 1234])
def test_who_speaks_extensions_is_told_ours_before_anything_else(size: int | None) -> None:
    peer = make_peer()
    peer.extended = True
    introduce(
        peer,
        SETTINGS,
        Ourselves(51413),
        size,
        Bitfield.full(1) if size else None,
        upload_only=bool(size),
        pex=bool(size),
    )
    first, second = messages_of(take_sent(peer))
    assert isinstance(first, Extended)
    said = ExtendedHandshake.parse(first.payload)
    numbers = {"ut_metadata": UT_METADATA, "lt_donthave": LT_DONTHAVE, "ut_pex": UT_PEX if size else 0}
    assert (first.ext_id, dict(said.extensions)) == (0, numbers)
    assert (said.client, said.port, said.request_queue, said.your_ip) == ("bittern/1", 51413, 77, "10.0.0.1")
    assert (said.metadata_size, said.upload_only) == (size, bool(size))
    assert second == (HaveAll() if size else HaveNone())


@pytest.mark.parametrize(
    ("known", "host", "told"),
    [
        (("9.9.9.9", "2620:fe::9"), "10.0.0.1", (None, "2620:fe::9")),
        (("9.9.9.9", "2620:fe::9"), "fd00::1", ("9.9.9.9", None)),
        (("10.0.0.9",), "fd00::1", (None, None)),
        (("192.168.1.1", "fe80::1"), "10.0.0.1", (None, None)),
        ((), "10.0.0.1", (None, None)),
    ],
)
def test_a_peer_hears_our_address_of_the_other_family_if_the_world_can_reach_it(
    known: tuple[str, ...], host: str, told: tuple[str | None, str | None]
) -> None:
    peer, ourselves = make_peer(host=host), Ourselves(77)
    peer.extended = True
    for ours in known:
        ourselves.told(ours, "tracker.example" if ":" in ours else "other.example")
    introduce(peer, SETTINGS, ourselves, None, None, upload_only=False, pex=True)
    first, *_ = messages_of(take_sent(peer))
    assert isinstance(first, Extended)
    said = ExtendedHandshake.parse(first.payload)
    assert ((said.ipv4, said.ipv6), said.port) == (told, 77)


@pytest.mark.parametrize("utp", [True, False])
def test_only_who_speaks_utp_can_be_met_and_not_where_peers_are_not_exchanged(utp: bool) -> None:  # noqa: FBT001 - a parameter
    for pex in (True, False):
        peer = make_peer()
        peer.extended = True
        introduce(peer, EngineSettings(utp=utp), Ourselves(77), None, None, upload_only=False, pex=pex)
        first = messages_of(take_sent(peer))[0]
        assert isinstance(first, Extended)
        number = ExtendedHandshake.parse(first.payload).extensions.get("ut_holepunch")
        assert number == (None if not utp else UT_HOLEPUNCH if pex else 0)


@pytest.mark.parametrize("twin_incoming", [True, False])
@pytest.mark.parametrize("ours_greater", [True, False])
def test_of_two_crossing_connections_both_sides_keep_the_same(twin_incoming: bool, ours_greater: bool) -> None:  # noqa: FBT001 - parameters
    ann, bob = PeerId(b"a" * 20), PeerId(b"b" * 20)
    ours, theirs = (bob, ann) if ours_greater else (ann, bob)
    here, there = make_peer(1), make_peer(2)
    here.peer_id, here.incoming = theirs, twin_incoming
    there.peer_id, there.incoming = ours, not twin_incoming
    # Here the twin is one connection, there the other is the twin: exactly one of the two is replaced by both.
    we_replace = crosses(here, here.address, ours, unranked, incoming=not twin_incoming, now=1.0)
    they_replace_the_same = crosses(there, there.address, theirs, unranked, incoming=twin_incoming, now=1.0)
    assert we_replace == they_replace_the_same
    there.incoming = twin_incoming  # and if the other connection was first there
    assert crosses(there, there.address, theirs, unranked, incoming=not twin_incoming, now=1.0) != we_replace


def test_only_what_crosses_is_replaced() -> None:
    twin = make_peer()
    ours, at = PeerId(b"~" * 20), twin.address
    assert not crosses(twin, at, ours, unranked, incoming=True, now=0.0)  # both incoming
    assert crosses(twin, at, ours, unranked, incoming=False, now=CROSSING_SECONDS - 0.1)
    assert not crosses(twin, at, ours, unranked, incoming=False, now=CROSSING_SECONDS)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("ids", [(b"a" * 20, b"b" * 20), (b"b" * 20, b"a" * 20)])
def test_where_two_crossing_connections_go_by_different_hosts_both_sides_keep_the_higher_priority(
    first: int, ids: tuple[bytes, bytes]
) -> None:
    """BEP 40, with the addresses of its examples: whoever looks, whichever was there first, whatever the ids are."""
    ann = [Address("123.213.32.10", 1), Address("2001:db8::10", 1)]
    bob = [Address("98.76.54.32", 1), Address("2001:db8:9::32", 1)]
    keeps = 0 if priority(ann[0], bob[0]) > priority(ann[1], bob[1]) else 1
    ours, theirs = map(PeerId, ids)
    for us, them, our_id, their_id, incoming in ((ann, bob, ours, theirs, True), (bob, ann, theirs, ours, False)):

        def rank(address: Address, us: list[Address] = us) -> float:
            return priority(us[address.is_ipv6], address)

        twin = make_peer()
        twin.address, twin.peer_id, twin.incoming = them[first], their_id, not incoming
        assert crosses(twin, them[1 - first], our_id, rank, incoming=incoming, now=1.0) == (keeps != first)


def unranked(_: Address) -> None:
    """As long as nobody told us our address."""


@pytest.mark.parametrize(
    ("encryption", "said"), [(Encryption.OFF, None), (Encryption.PREFER, True), (Encryption.REQUIRE, True)]
)
def test_peers_are_told_whether_we_prefer_encryption(encryption: Encryption, said: bool | None) -> None:  # noqa: FBT001 - a parameter
    peer = make_peer(fast=False)
    peer.extended = True
    settings = EngineSettings(encryption_out=encryption)
    introduce(peer, settings, Ourselves(51413), None, None, upload_only=False, pex=True)
    [message] = messages_of(take_sent(peer))
    assert isinstance(message, Extended)
    assert ExtendedHandshake.parse(message.payload).prefers_encryption is said


def test_over_utp_a_peer_hears_something_more_when_it_has_introduced_itself() -> None:
    for transport, expected in ((Transport.UTP, bytes(4)), (Transport.TCP, b"")):
        peer = make_peer()
        line = peer.wire.link
        assert isinstance(line, Line)
        line.transport = transport
        rouse(peer)
        assert take_sent(peer) == expected


def test_who_is_anonymous_says_neither_which_client_it_is_nor_whom_it_sees() -> None:
    peer = make_peer()
    peer.extended = True
    settings = EngineSettings(user_agent="", anonymous=True)
    introduce(peer, settings, Ourselves(0), None, None, upload_only=False, pex=True)
    (told,) = [message for message in messages_of(take_sent(peer)) if isinstance(message, Extended)]
    said = ExtendedHandshake.parse(told.payload)
    assert (said.client, said.port, said.your_ip, said.ipv4, said.ipv6) == (None, None, None, None, None)
