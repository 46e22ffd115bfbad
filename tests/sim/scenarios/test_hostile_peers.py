"""Peers that mean harm, each a script: what they say is refused or let pass, and everybody else goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence
from bittern.base.geometry import BLOCK
from bittern.base.ids import PeerId
from bittern.engine.events import PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.swarm.turnover import SPEAK_SECONDS
from bittern.engine.upload.choker import RECHOKE_SECONDS
from bittern.sim.network import PORT
from bittern.testing.actor import Actor
from bittern.testing.playbook import Playbook
from bittern.wire import donthave
from bittern.wire.handshake import Reserved
from bittern.wire.hashes import Hashes, HashRange, HashReject, HashRequest
from bittern.wire.messages import (
    BitfieldMessage,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Message,
    Request,
    Unchoke,
)
from bittern.wire.ut_metadata import METADATA_PIECE, MetadataData

ROW = HashRange(b"\xab" * 32, 0, 0, 2, 1)
LT_DONTHAVE = 7


def arrives(play: Playbook, name: str, reserved: bytes, *, dialed: bool = False) -> Actor:
    """As `Playbook.joins`, with any reserved bytes."""
    host = play.network.host(name)
    host.latency = 0.0
    actor = play.actors[name] = Actor.on(host, play.content.info.wire_hash, reserved)
    actor.say(actor.hello.encode())
    if dialed:
        host.acceptor = actor
        play.torrent.add_candidates([host.address], Source.MANUAL, play.world.now)
        play.process.host.touch()
    else:
        play.network.connect(host, play.process.host.address, actor.connected, lambda _: None)
    play.waits(0.0)
    return actor


# --- handshakes


@settings(max_examples=40)
@given(reserved=st.binary(min_size=8, max_size=8), dialed=st.booleans(), magnet=st.booleans())
def test_no_reserved_bits_change_what_a_torrent_of_version_1_is(reserved: bytes, *, dialed: bool, magnet: bool) -> None:
    """The bit of version 2 among them (BEP 52): there is no tree to speak of, and pieces go on as ever."""
    with Playbook(pieces=2, have="" if magnet else "10", magnet=magnet) as play:
        for number, bits in enumerate((reserved, (int.from_bytes(reserved) | Reserved.V2).to_bytes(8))):
            name = f"eve{number}"
            eve = arrives(play, name, bits, dialed=dialed)
            assert eve.greeted is not None
            assert eve.greeted.info_hash == play.content.info.wire_hash
            assert not eve.greeted.supports(Reserved.V2)
            play.says(name, HashRequest(ROW))
            assert HashReject(ROW) in play.heard(name)
            assert eve.lost_by is None
        if not magnet:
            play.says("eve1", Have(1), Unchoke())
            assert Request(1, 0, BLOCK) in play.heard("eve1")
            play.gives("eve1", 1)
            assert play.have == "11"
        play.says("eve1", Hashes(ROW, bytes(96))).expect_drop("eve1", Offence.UNASKED_HASHES)
        assert play.actors["eve0"].lost_by is None


def test_who_says_it_is_of_version_2_before_the_metadata_is_a_peer_of_version_1_after_it() -> None:
    with Playbook(pieces=2, magnet=True) as play:
        eve = arrives(play, "eve", (Reserved.V2 | Reserved.LTEP | Reserved.FAST).to_bytes(8))
        raw = play.content.info.raw
        size = b"13:metadata_sizei%de" % len(raw)
        play.says("eve", HaveAll(), Extended(0, b"d1:md11:ut_metadatai9ee" + size + b"e"), HashRequest(ROW))
        play.says("eve", Extended(2, MetadataData(0, len(raw), raw[:METADATA_PIECE]).encode()), Unchoke())
        wanted = [message for message in play.heard("eve") if isinstance(message, Request)]
        for request in wanted:
            play.gives("eve", request.piece, request.begin)
        assert play.have == "11"
        assert eve.lost_by is None or "neither side wants" in str(play.events[-1])


def test_one_network_may_have_one_place_only() -> None:
    """`max_per_network`: the second connection of an address is closed, one of another address is not."""
    config = EngineSettings(listen_port=PORT, max_per_network=1)
    with Playbook(settings=config) as play:
        play.joins("ann")
        host = play.actors["ann"].host
        twin = Actor.on(host, play.content.info.wire_hash, bytes(8))
        twin.hello = type(twin.hello)(bytes(8), play.content.info.wire_hash, PeerId(b"-PL0000-anotherclien"))
        twin.say(twin.hello.encode())
        play.network.connect(host, play.process.host.address, twin.connected, lambda _: None)
        play.waits(0.0)
        assert twin.lost_by is not None
        play.joins("bob")
        assert (play.actors["ann"].lost_by, play.actors["bob"].lost_by) == (None, None)


def test_a_crowd_that_says_nothing_holds_its_places_for_seconds() -> None:
    """Three of each of 27 networks take all 80 places but that of one who is served; they come back whenever they go.

    A good peer that dials now and then is let in five seconds after them at the latest, is served, and stays.
    """
    with Playbook(pieces=8, have="all") as play:
        play.joins("ann").is_interested("ann").asks("ann", 0)
        hosts = [play.network.host(f"crowd{number}") for number in range(27)]
        for host in hosts:
            host.latency = 0.0
        crowd: list[Actor] = []

        def come_back() -> None:
            here = [actor for actor in crowd if actor.lost_by is None]
            for number, host in enumerate(hosts):
                for _ in range(3 - sum(actor.host is host for actor in here)):
                    actor = Actor.on(host, play.content.info.wire_hash, bytes(8))
                    name = PeerId(b"-PL0000-%03d%09d" % (number, len(crowd)))
                    actor.hello = type(actor.hello)(bytes(8), actor.hello.info_hash, name)
                    actor.say(actor.hello.encode())
                    play.network.connect(host, play.process.host.address, actor.connected, lambda _: None)
                    crowd.append(actor)
            play.waits(0.0)

        come_back()
        assert len(play.torrent.peers) == EngineSettings().max_peers
        tries = 0
        while tries < 10:
            play.joins(f"good{tries}")
            if play.actors[f"good{tries}"].lost_by is None:
                break
            come_back()
            play.waits(1.0)
            tries += 1
        assert tries <= SPEAK_SECONDS
        good = f"good{tries}"
        play.is_interested(good)
        for second in range(40):
            come_back()
            play.waits(1.0)
            if second == RECHOKE_SECONDS:
                assert Unchoke() in play.heard(good)
                assert play.block(0) in play.asks(good, 0).heard(good)
        assert play.block(1) in play.asks(good, 1).heard(good)
        assert (play.actors[good].lost_by, play.actors["ann"].lost_by) == (None, None)


# --- liars


def test_a_liar_that_comes_back_from_other_ports_lies_once() -> None:
    """Its address is banned: every other connection of it ends, and none that it makes is let in."""
    with Playbook(pieces=4) as play:
        play.joins("eve", have="1000").joins("ann", have="1111")
        liar = play.actors["eve"].host
        others = []
        for number in range(2):
            other = Actor.on(liar, play.content.info.wire_hash, bytes(8))
            other.hello = type(other.hello)(bytes(8), other.hello.info_hash, PeerId(b"-PL0000-eve%09d" % number))
            other.say(other.hello.encode() + BitfieldMessage(b"\xf0").encode())
            play.network.connect(liar, play.process.host.address, other.connected, lambda _: None)
            others.append(other)
        play.waits(0.0)
        assert [other.lost_by for other in others] == [None, None]
        play.unchokes("eve")
        for message in play.heard("eve"):
            assert isinstance(message, Request)
            play.lies("eve", message.piece, message.begin)
        reasons = {event.reason for event in play.events if isinstance(event, PeerDropped)}
        assert reasons == {f"{Offence.CORRUPT_DATA.value}: piece 0", "the address is banned"}
        assert all(other.lost_by is not None for other in others)
        for number in range(20):
            again = Actor.on(liar, play.content.info.wire_hash, bytes(8))
            again.hello = type(again.hello)(bytes(8), again.hello.info_hash, PeerId(b"-PL0000-eva%09d" % number))
            again.say(again.hello.encode())
            play.network.connect(liar, play.process.host.address, again.connected, lambda _: None)
        play.waits(0.0)
        assert [peer.address.host for peer in play.torrent.peers.values()] == [play.actors["ann"].host.address.host]
        play.unchokes("ann")
        for message in play.heard("ann"):
            if isinstance(message, Request):
                play.gives("ann", message.piece, message.begin)
        assert play.have == "1111"


# --- what peers say they have

PIECES = 6
CLAIMS = st.one_of(
    st.builds(Have, st.integers(0, PIECES - 1)),
    st.just(HaveAll()),
    st.just(HaveNone()),
    st.builds(lambda bits: BitfieldMessage(bytes((bits << 2,))), st.integers(0, 63)),
    st.builds(lambda piece: Extended(LT_DONTHAVE, donthave.encode(piece)), st.integers(0, PIECES - 1)),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "eve"]), CLAIMS), max_size=25))
def test_whatever_peers_claim_to_have_is_counted_once_and_gone_with_them(claims: list[tuple[str, Message]]) -> None:
    """Bitfields, have-all and have-none back and forth, pieces lost and found."""
    with Playbook(pieces=PIECES) as play:
        for name in ("ann", "bob", "eve"):
            arrives(play, name, (Reserved.FAST | Reserved.LTEP).to_bytes(8))
        model: dict[str, set[int]] = {name: set() for name in play.actors}
        spoken: set[str] = set()
        for name, claim in claims:
            if play.actors[name].lost_by is not None:
                continue
            play.says(name, claim)
            first = name not in spoken
            spoken.add(name)
            if isinstance(claim, (HaveAll, HaveNone)) and not first:
                play.expect_drop(name, Offence.LATE_BITFIELD)
                model[name] = set()
            elif isinstance(claim, HaveAll):
                model[name] = set(range(PIECES))
            elif isinstance(claim, BitfieldMessage):
                model[name] |= set(Bitfield.from_bytes(bytes(claim.bits), PIECES))
            elif isinstance(claim, Have):
                model[name].add(claim.piece)
            elif isinstance(claim, Extended):
                if first:
                    spoken.discard(name)  # it is no word about what it has
                model[name].discard(donthave.parse(bytes(claim.payload)))
            peers = {peer.address.host: peer for peer in play.torrent.peers.values()}
            for who, actor in play.actors.items():
                peer = peers.get(actor.host.address.host)
                assert set(peer.pieces or () if peer is not None else ()) == model[who]
        download = play.torrent.download
        assert download is not None
        for piece in range(PIECES):
            counted = [peer for peer in play.torrent.peers.values() if not peer.counted_as_seed]
            assert download.picker.availability(piece) == sum(piece in (peer.pieces or ()) for peer in counted)
        for name, actor in play.actors.items():
            if actor.lost_by is None:
                play.leaves(name)
        assert [download.picker.availability(piece) for piece in range(PIECES)] == [0] * PIECES


# --- metadata (BEP 9)


@pytest.mark.parametrize("known", [False, True])
def test_metadata_that_nobody_asked_for_is_an_offence_or_lost_on_us(*, known: bool) -> None:
    """While it is wanted, who was never asked may not send any; once it is known, nothing of it is kept."""
    with Playbook(pieces=2, magnet=not known, have="11" if known else "") as play:
        raw = play.content.info.raw
        block = Extended(2, MetadataData(0, len(raw), bytes(len(raw))).encode())
        play.joins("eve", fast=False, extensions={})
        play.says("eve", *[block] * 50)
        if known:
            assert play.actors["eve"].lost_by is None
            assert play.torrent._metadata._fetch is None
        else:
            play.expect_drop("eve", Offence.BAD_METADATA)
