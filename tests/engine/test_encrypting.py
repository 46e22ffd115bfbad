"""Two engines over one link: each pair of policies, torrents that sleep, strangers in crowds."""

from functools import partial
from itertools import product
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine import encrypting
from bittern.engine.core import Core
from bittern.engine.effects import Connect, WorkOut
from bittern.engine.encrypting import SECRETS_AT_ONCE
from bittern.engine.events import PeerJoined, SleeperCalled
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.sim.cipher import SimCipher
from bittern.sim.world import World
from bittern.testing.wire_pair import WirePair, feed
from bittern.wire.handshake import PROTOCOL
from bittern.wire.mse.exchange import Initiator
from bittern.wire.mse.keys import public_key, shared_secret
from bittern.wire.mse.policy import Encryption
from bittern.wire.mse.stream import MseStream
from bittern.wire.peerwire import HANDSHAKE_SECONDS, PeerWire
from tests.engine.peers import HASH, Line, NoDisk
from tests.wire.test_peerwire import OTHER

OFF, PREFER, REQUIRE = Encryption


class Side:
    """A core in the swarm of one torrent."""

    def __init__(self, name: str, into: Encryption = PREFER, out: Encryption = PREFER, *, idle: bool = False) -> None:
        settings = EngineSettings(encryption_in=into, encryption_out=out)
        chance, peer_id = World(Random, 1).chance(name), PeerId(f"-BZ0000-{name:.>12}".encode())
        self.core = Core(settings, peer_id, chance, NoDisk(), cipher=SimCipher)
        self.torrent = None if idle else self.core.add(HASH, (), 0.0)

    def wish(self, now: float = 0.0) -> Connect | None:
        """The dial that the engine wants now."""
        assert self.torrent is not None
        self.torrent.advance(now)
        self.core.settle(now)
        wishes = [effect for effect in self.core.take_effects() if isinstance(effect, Connect)]
        return wishes[0] if wishes else None

    def joined(self) -> int:
        return sum(isinstance(event, PeerJoined) for event in self.core.take_events())


def meet(dialing: Side, answering: Side, now: float = 0.0) -> WirePair | None:
    """The next dial of one side to the other, until both are quiet; None when it wants none."""
    wish = dialing.wish(now)
    if wish is None:
        return None
    both = WirePair(
        lambda link: dialing.core.connected(wish.ticket, link, now), lambda link: answering.core.accepted(link, now)
    )
    both.run(now)
    return both


@pytest.mark.parametrize(("out", "into"), list(product(Encryption, repeat=2)), ids=str)
def test_each_pair_of_policies_meets_or_does_not(out: Encryption, into: Encryption) -> None:
    """Encrypted where both sides can, plainly where both may, else not at all; each approach is tried once."""
    one, other = Side("one", out=out), Side("other", into=into)
    assert one.torrent is not None
    one.torrent.add_candidates([Address("10.0.0.2", 2)], Source.MANUAL, 0.0)
    met = [both for _ in range(3) if (both := meet(one, other)) is not None]
    encrypted = out is not OFF and into is not OFF
    possible = encrypted or (out.plain and into.plain)
    assert (one.joined(), other.joined()) == ((1, 1) if possible else (0, 0))
    assert len(met) == (2 if out is PREFER and into is OFF else 1)
    last = met[-1]
    assert (PROTOCOL in last.right.record) == (out is OFF or (out is PREFER and into is OFF))
    assert (PROTOCOL in last.left.record) == (possible and not encrypted)
    if possible:
        wires = [next(iter(side.torrent.peers.values())).wire for side in (one, other) if side.torrent is not None]
        assert [wire.encrypted for wire in wires] == [encrypted, encrypted]


@pytest.mark.parametrize("name", [HASH, OTHER], ids=["its own", "its other"])
@pytest.mark.parametrize("asleep", [False, True])
def test_a_hybrid_is_found_by_both_names_awake_or_asleep(name: InfoHashV1, *, asleep: bool) -> None:
    one, other = Side("one", idle=True), Side("other", into=REQUIRE, idle=True)
    if asleep:
        other.core.add_sleeping(HASH, (), 0.0, OTHER)
    else:
        torrent = other.core.add(HASH, (), 0.0)
        torrent.names.v1, torrent.names.v2 = HASH, OTHER
        other.core._directory.also(OTHER, HASH)
    one.torrent = one.core.add(name, (), 0.0)
    one.torrent.add_candidates([Address("10.0.0.2", 2)], Source.MANUAL, 0.0)
    assert meet(one, other) is not None
    called = sum(isinstance(event, SleeperCalled) for event in other.core._shared.events)
    assert (other.joined(), called) == ((0, 1) if asleep else (1, 0))


def test_a_torrent_that_was_removed_is_found_no_more() -> None:
    one, other = Side("one"), Side("other")
    assert one.torrent is not None
    assert other.torrent is not None
    other.core.remove(other.torrent, 0.0)
    one.torrent.add_candidates([Address("10.0.0.2", 2)], Source.MANUAL, 0.0)
    both = meet(one, other)
    assert both is not None
    assert both.right.closed
    assert one.joined() == 0


def strangers(side: Side, count: int, now: float) -> list[WirePair]:
    """So many that come at once and say a key and enough behind it to have a secret worked out."""
    pairs = []
    for number in range(count):
        both = WirePair(lambda link: side.core.accepted(link, now), lambda _: PeerWire.__new__(PeerWire))
        feed(both.left.stream, public_key(b"%020d" % number) + bytes(100), now=now)
        pairs.append(both)
    return pairs


def test_of_a_crowd_that_comes_at_once_most_secrets_are_worked_out_elsewhere() -> None:
    side = Side("one")
    pairs = strangers(side, 10, 5.0)
    wishes = [effect for effect in side.core.take_effects() if isinstance(effect, WorkOut)]
    assert len(wishes) == 10 - SECRETS_AT_ONCE
    assert [len(both.left.stream.receive_buffers()) for both in pairs] == [1] * SECRETS_AT_ONCE + [0] * len(wishes)
    for wish in wishes:
        side.core.worked_out(wish.ticket, shared_secret(wish.secret, wish.theirs), 6.0)
    assert [len(both.left.stream.receive_buffers()) for both in pairs] == [1] * 10
    strangers(side, 1, 6.0)
    assert not side.core.take_effects()  # another turn, and time for it


def test_a_secret_for_who_has_gone_meanwhile_changes_nothing() -> None:
    side = Side("one")
    pairs = strangers(side, 5, 5.0)
    [wish] = [effect for effect in side.core.take_effects() if isinstance(effect, WorkOut)]
    stream = pairs[-1].left.stream
    assert isinstance(stream, MseStream)
    side.core.advance(5.0 + HANDSHAKE_SECONDS)
    assert all(both.left.closed for both in pairs)
    side.core.worked_out(wish.ticket, shared_secret(wish.secret, wish.theirs), 20.0)
    side.core.worked_out(wish.ticket, b"", 20.0)
    assert not side.core._encrypting._waiting


def test_without_a_cipher_nothing_can_be_encrypted() -> None:
    chance = World(Random, 1).chance("one")
    with pytest.raises(LocalProtocolError):
        Core(EngineSettings(encryption_out=PREFER), PeerId(bytes(20)), chance, NoDisk())


def test_a_thousand_bad_handshakes_cost_a_secret_each_at_most_and_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage of the most that is read, keys that leave no secret, and keys with nothing behind them."""
    side, noise, worked_out = Side("one"), Random(1), list[bytes]()

    def counted(secret: bytes, theirs: bytes) -> bytes:
        worked_out.append(theirs)
        return shared_secret(secret, theirs)

    monkeypatch.setattr(encrypting, "shared_secret", counted)
    for number in range(1000):
        now = float(number)
        both = WirePair(partial(side.core.accepted, now=now), lambda _: PeerWire.__new__(PeerWire))
        data = (noise.randbytes(700), b"\xff" * 700, public_key(noise.randbytes(20)))[number % 3]
        for at in range(0, len(data), 200):
            if not both.left.closed:
                feed(both.left.stream, data[at : at + 200], now=now)
        assert both.left.closed is (number % 3 < 2)
        side.core.advance(now)
    assert len(worked_out) <= 334
    side.core.advance(2000.0)
    assert not side.core._lobby.wires


@pytest.mark.parametrize(("policy", "size"), [(PREFER, 0), (REQUIRE, 68)])
def test_our_first_words_go_with_the_handshake_only_where_all_that_follows_is_encrypted(
    policy: Encryption, size: int
) -> None:
    """Transmission 3 takes them for plain ones when it chooses the plain method."""
    side = Side("one", out=policy)
    assert side.torrent is not None
    side.torrent.add_candidates([Address("10.0.0.2", 2)], Source.MANUAL, 0.0)
    wish = side.wish()
    assert wish is not None
    stream = side.core.connected(wish.ticket, Line("10.0.0.2", 2), 0.0)
    assert isinstance(stream, MseStream)
    assert isinstance(stream._exchange, Initiator)
    assert len(stream._exchange._words) == size
    assert len(b"".join(stream._wire.send_buffers(1000))) == 68 - size
