"""The filter: what it refuses, for whom, and who goes when it is loaded."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import ALIASES, Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.ip_ranges import NO_RANGES, IpRanges
from bittern.engine.effects import Connect
from bittern.engine.events import AddressesBlocked, PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.ip_filter import Blocked, IpFilter
from bittern.engine.swarm.members import BLOCKED_CLIENT, FILTERED
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.wire.handshake import Handshake
from tests.engine.test_core import Bench, say
from tests.wire.test_peerwire import HASH

OTHER = InfoHashV1(b"o" * 20)
_HOSTS = [f"10.0.0.{last}" for last in range(8)] + ["2001:db8::1", "2001:db8::2"]
_SETS = st.lists(st.sampled_from(_HOSTS), max_size=6)


@given(
    st.lists(st.tuples(st.just("add"), st.sampled_from(_HOSTS)) | st.tuples(st.just("load"), _SETS), max_size=12),
    st.sampled_from(["exempt", "like all"]),
)
@settings(max_examples=150)
def test_a_book_never_has_whom_the_filter_keeps_out(
    steps: list[tuple[str, str] | tuple[str, list[str]]], exempted: str
) -> None:
    """Against the naive model: a dict of hosts, and a set of blocked ones."""
    ip_filter = IpFilter()
    exempt = exempted == "exempt"
    if exempt:
        ip_filter.exempt[OTHER] = None
    book = Peerbook(Random(1), None, ip_filter, OTHER)
    known: dict[str, None] = {}
    blocked: list[str] = []
    refused = 0
    for kind, what in steps:
        if kind == "add" and isinstance(what, str):
            before = what in known
            kept_out = what in blocked and not exempt and not before
            assert book.add(Address(what, 5000), Source.TRACKER, 0.0) == (not before and not kept_out)
            refused += kept_out
            known |= {} if kept_out else {what: None}
        else:
            blocked = list(what)
            ip_filter.ranges = IpRanges.of(blocked)
            book.filter_changed()
            gone = [host for host in known if host in blocked and not exempt]
            refused += len(gone)
            for host in gone:
                del known[host]
        assert [host for host in _HOSTS if Address(host, 5000) in book] == [host for host in _HOSTS if host in known]
    assert book.blocked == ip_filter.counts[Blocked.CANDIDATE] == refused


def test_a_filter_is_for_all_torrents_but_those_that_are_exempt() -> None:
    ip_filter = IpFilter()
    ip_filter.ranges = IpRanges.of(["10.0.0.0/8"])
    assert ip_filter.blocks("10.0.0.1")
    assert ip_filter.refuses("10.0.0.1", Blocked.INCOMING, OTHER)
    assert ip_filter.turns_away("10.0.0.1")
    ip_filter.exempt[OTHER] = None
    assert not ip_filter.refuses("10.0.0.1", Blocked.INCOMING, OTHER)
    assert ip_filter.blocks("10.0.0.1", HASH)
    assert not ip_filter.turns_away("10.0.0.1")  # it may have come for the one that is exempt
    assert ip_filter.counts == {Blocked.INCOMING: 2}


def test_what_stands_for_a_name_is_not_blocked_though_lists_have_it() -> None:
    """Behind a proxy that looks names up; addresses that nobody can have are on many lists."""
    ip_filter = IpFilter()
    ip_filter.ranges = IpRanges.of(["0.0.0.0/8", "240.0.0.0/4"])
    assert not ip_filter.blocks(f"{ALIASES}0.0.1")
    assert ip_filter.blocks("250.0.0.1")


def _blocking(*texts: str) -> Bench:
    bench = Bench()
    bench.core.ip_filter.ranges = IpRanges.of(texts)
    bench.core.filter_changed(0.0)
    return bench


def _hello(name: bytes = b"-XX0000-abcdefghijkl", info_hash: InfoHashV1 = HASH) -> bytes:
    return Handshake(bytes(8), info_hash, PeerId(name)).encode()


def test_who_comes_from_a_blocked_address_is_closed_before_it_is_heard() -> None:
    bench = _blocking("10.0.0.0/24")
    line, _ = bench.arrives("10.0.0.9")
    assert line.closed
    other, _ = bench.arrives("10.0.1.9")
    assert not other.closed
    assert bench.core.ip_filter.counts == {Blocked.INCOMING: 1}


def test_where_a_torrent_is_exempt_the_handshake_tells_whether_it_is_for_that_one() -> None:
    bench = _blocking("10.0.0.0/24")
    exempt = bench.core.add(OTHER, (), 0.0)
    bench.core.ip_filter.exempt[OTHER] = None
    line, wire = bench.arrives("10.0.0.9")
    say(wire, _hello(info_hash=OTHER))
    assert not line.closed
    assert len(exempt.peers) == 1
    line, wire = bench.arrives("10.0.0.8")
    say(wire, _hello())
    assert line.closed
    assert not bench.torrent.peers
    assert [drop.reason for drop in bench.drops()] == [FILTERED]
    assert bench.torrent.peerbook.blocked == 1


def test_a_sleeping_torrent_is_not_woken_for_a_blocked_address() -> None:
    bench = _blocking("10.0.0.0/24")
    bench.core.add_sleeping(OTHER, (), 0.0)
    bench.core.ip_filter.exempt[HASH] = None
    line, wire = bench.arrives("10.0.0.9")
    say(wire, _hello(info_hash=OTHER))
    assert line.closed
    assert bench.core.take_events() == []


def test_when_it_is_loaded_those_that_it_keeps_out_go() -> None:
    """A peer, a connection before its handshake both ways, a dial under way and a candidate; others stay."""
    bench = Bench()
    near, peer_wire = bench.arrives("10.0.0.1")
    say(peer_wire, _hello())
    stays, stays_wire = bench.arrives("10.0.1.1")
    say(stays_wire, _hello(b"-XX0000-stays_______"))
    silent, _ = bench.arrives("10.0.0.2")
    dialed, _ = bench.dials(Address("10.0.0.3", 5000))
    bench.torrent.add_candidates([Address("10.0.0.4", 5000)], Source.MANUAL, 0.0)
    [wish] = [effect for effect in bench.turn() if isinstance(effect, Connect)]
    bench.torrent.add_candidates([Address("10.0.0.5", 5000), Address("10.0.1.5", 5000)], Source.TRACKER, 0.0)
    bench.drops()

    bench.core.ip_filter.ranges = IpRanges.of(["10.0.0.0/24"])
    bench.core.filter_changed(1.0)
    assert near.closed
    assert silent.closed
    assert dialed.closed
    assert not stays.closed
    assert [peer.address.host for peer in bench.torrent.peers.values()] == ["10.0.1.1"]
    assert {drop.reason for drop in bench.drops()} == {FILTERED}
    late = type(near)(*wish.address)
    bench.core.connected(wish.ticket, late, 2.0)  # it was under way when the filter came
    assert late.closed
    wishes = [effect.address.host for effect in bench.turn(100.0) if isinstance(effect, Connect)]
    assert wishes == ["10.0.1.5"]
    assert bench.core.ip_filter.counts[Blocked.PEER] == 1
    assert bench.core.ip_filter.counts[Blocked.CANDIDATE] == 3


def test_how_many_were_kept_out_is_told_once_at_the_end_of_a_turn() -> None:
    bench = _blocking("10.0.0.0/24")
    bench.torrent.add_candidates([Address(f"10.0.0.{last}", 5000) for last in range(1, 8)], Source.PEX, 0.0)
    bench.turn()
    bench.turn()
    assert bench.core.take_events() == [AddressesBlocked(bench.torrent.number, 7)]


def test_when_it_is_taken_away_all_may_come_again() -> None:
    bench = _blocking("10.0.0.0/24")
    bench.core.ip_filter.ranges = NO_RANGES
    bench.core.filter_changed(1.0)
    line, wire = bench.arrives("10.0.0.1")
    say(wire, _hello())
    assert not line.closed
    assert len(bench.torrent.peers) == 1


def test_a_client_that_is_blocked_is_parted_with_after_its_handshake_and_not_called_for_an_hour() -> None:
    bench = Bench(EngineSettings(blocked_clients=(b"-XL", b"-SD01")))
    line, wire = bench.arrives("10.0.0.1")
    say(wire, _hello(b"-XL0012-abcdefghijkl"))
    assert line.closed
    dialed, wire = bench.dials(Address("10.0.0.2", 5000))
    say(wire, _hello(b"-SD0100-abcdefghijkl"))
    assert dialed.closed
    assert [drop.reason for drop in bench.drops()] == [BLOCKED_CLIENT] * 2
    assert bench.core.ip_filter.counts == {Blocked.CLIENT: 2}
    assert not [effect for effect in bench.turn(2000.0) if isinstance(effect, Connect)]
    assert [effect for effect in bench.turn(6000.0) if isinstance(effect, Connect)]
    fine, wire = bench.arrives("10.0.0.3")
    say(wire, _hello(b"-SD0200-abcdefghijkl"))
    assert not fine.closed
    assert [type(event) for event in bench.core.take_events() if isinstance(event, PeerDropped)] == []


def test_a_name_that_a_proxy_looks_up_has_no_address_to_block() -> None:
    blocker = IpFilter()
    blocker.ranges = IpRanges.of(["240.0.0.0 - 255.255.255.255"])
    assert not blocker.refuses("240.0.0.1", Blocked.NODE)
    assert blocker.refuses("241.0.0.1", Blocked.NODE)
