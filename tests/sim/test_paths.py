"""Datagrams between hosts: pace, buffers, and each kind of trouble."""

from math import inf
from random import Random

import pytest

from bittern.base.address import Address
from bittern.sim.host import Host
from bittern.sim.nat import Nat, NatKind
from bittern.sim.network import Network
from bittern.sim.paths import Paths
from bittern.sim.world import World
from bittern.wire.datagrams import Cut
from tests.sim.toys import Dial, Listener, Toy

MEGABYTE = 1_000_000


class Box:
    """Keeps what comes, and when."""

    def __init__(self, host: Host) -> None:
        self.got: list[bytes] = []
        self.times: list[float] = []
        self.sources: list[Address] = []
        self.refusals: list[Address] = []
        self.too_bigs: list[tuple[Address, int]] = []
        host.inbox = self

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        for at in range(0, len(data), segment):
            self.got.append(bytes(data[at : at + segment]))
            self.times.append(now)
            self.sources.append(source)

    def refused(self, address: Address, now: float) -> None:
        self.refusals.append(address)

    def too_big(self, address: Address, size: int, now: float) -> None:
        self.too_bigs.append((address, size))


class Pair:
    """Two hosts, and a box at each."""

    def __init__(self, up: float = inf, down: float = inf) -> None:
        self.world = World(Random, 1)
        self.network = Network(self.world)
        self.ann, self.bob = self.network.host("ann", up=up), self.network.host("bob", down=down)
        self.paths = Paths(self.network)
        self.at_ann, self.at_bob = Box(self.ann), Box(self.bob)
        self.counts = self.paths.counts(self.ann, self.bob)

    def numbered(self, count: int, size: int = 1000) -> list[bytes]:
        """Send so many datagrams from ann to bob."""
        sent = [number.to_bytes(4) + bytes(size - 4) for number in range(count)]
        for datagram in sent:
            self.paths.send(self.ann, [datagram], self.bob.address)
        return sent


@pytest.mark.parametrize(("up", "down"), [(MEGABYTE, inf), (inf, MEGABYTE)])
def test_datagrams_go_at_the_pace_of_the_slower_line_headers_included(up: float, down: float) -> None:
    pair = Pair(up, down)
    sent = pair.numbered(100, 972)
    pair.world.run(10.0)
    assert pair.at_bob.got == sent
    assert pair.at_bob.times[-1] == pytest.approx(0.1 + 0.04)
    assert pair.counts.worst_delay == pytest.approx(0.1)


@pytest.mark.parametrize(("up", "down"), [(MEGABYTE, inf), (inf, MEGABYTE)])
def test_what_finds_the_buffer_full_is_lost(up: float, down: float) -> None:
    pair = Pair(up, down)
    pair.ann.uplink.buffer = pair.bob.downlink.buffer = 20_000
    sent = pair.numbered(100, 972)
    pair.world.run(10.0)
    assert pair.at_bob.got == sent[:20]
    assert pair.counts.lost == pair.ann.uplink.dropped + pair.bob.downlink.dropped == 80


def test_a_train_is_cut_into_segments_on_a_slow_line_and_comes_whole_on_a_fast_one() -> None:
    for up in (MEGABYTE, inf):
        pair = Pair(up)
        pair.paths.send(pair.ann, [b"a" * 700, b"b" * 700, b"c"], pair.bob.address, 700)
        pair.world.run(1.0)
        assert pair.at_bob.got == [b"a" * 700, b"b" * 700, b"c"]
        assert len(set(pair.at_bob.times)) == (1 if up == inf else 3)
        assert (pair.counts.come, pair.counts.come_bytes) == (3, 1401 + 3 * 28)


def test_loss_and_doubles_come_as_often_as_they_should() -> None:
    pair = Pair()
    trouble = pair.paths.between(pair.ann, pair.bob)
    trouble.loss, trouble.doubled = 0.1, 0.05
    pair.numbered(2000)
    pair.world.run(1.0)
    assert pair.counts.lost == pytest.approx(200, abs=45)
    assert len(pair.at_bob.got) - len(set(pair.at_bob.got)) == pytest.approx(100, abs=35)


def test_the_other_direction_of_a_path_has_no_part_in_its_trouble() -> None:
    pair = Pair()
    pair.paths.between(pair.ann, pair.bob).loss = 1.0
    pair.numbered(3)
    pair.paths.send(pair.bob, [b"back"], pair.ann.address)
    pair.world.run(1.0)
    assert pair.at_bob.got == []
    assert pair.at_ann.got == [b"back"]


def test_jitter_keeps_the_order_and_overtaking_does_not() -> None:
    for jitter, overtaken in ((0.03, 0.0), (0.0, 0.2)):
        pair = Pair(MEGABYTE)
        trouble = pair.paths.between(pair.ann, pair.bob)
        trouble.jitter, trouble.overtaken = jitter, overtaken
        sent = pair.numbered(200)
        pair.world.run(10.0)
        assert sorted(pair.at_bob.got) == sent
        assert (pair.at_bob.got == sent) is (overtaken == 0.0)


def test_what_is_too_big_is_cut_or_told_of_or_lost_without_a_word() -> None:
    pair = Pair()
    trouble = pair.paths.between(pair.ann, pair.bob)
    trouble.mtu = 1000
    for size, cut in ((973, Cut.ANYWHERE), (973, Cut.NEVER), (974, Cut.HERE), (972, Cut.NEVER), (972, Cut.HERE)):
        pair.paths.send(pair.ann, [bytes(size)], pair.bob.address, cut=cut)
    pair.world.run(1.0)
    assert [len(data) for data in pair.at_bob.got] == [973, 972, 972]
    assert pair.at_ann.too_bigs == [(pair.bob.address, 973), (pair.bob.address, 974)]
    trouble.silent, trouble.passes_pieces = True, False
    for cut in Cut:
        pair.paths.send(pair.ann, [bytes(973)], pair.bob.address, cut=cut)
    pair.world.run(1.0)
    assert len(pair.at_bob.got) == 3
    assert len(pair.at_ann.too_bigs) == 2


def test_the_sender_is_told_where_nobody_takes_datagrams_and_not_where_nobody_is() -> None:
    pair = Pair()
    pair.bob.inbox = None
    pair.numbered(1)
    nobody = Address("10.9.9.9", 1)
    pair.paths.send(pair.ann, [b"?"], nobody)
    pair.world.run(1.0)
    assert pair.at_ann.refusals == [pair.bob.address]


def test_hosts_that_are_cut_off_hear_nothing() -> None:
    pair = Pair()
    pair.network.split([pair.ann])
    pair.numbered(1)
    pair.world.run(1.0)
    assert pair.at_bob.got == []


def test_a_router_changes_the_source_and_keeps_strangers_out() -> None:
    pair = Pair()
    pair.ann.nat = Nat(NatKind.PORT_RESTRICTED, first_port=20001)
    pair.paths.send(pair.bob, [b"too early"], Address(pair.ann.address.host, 20001))
    pair.world.run(1.0)
    pair.paths.send(pair.ann, [b"hello"], pair.bob.address)
    pair.world.run(1.0)
    assert pair.at_bob.sources == [Address(pair.ann.address.host, 20001)]
    pair.paths.send(pair.bob, [b"welcome"], pair.at_bob.sources[0])
    pair.world.run(1.0)
    assert pair.at_ann.got == [b"welcome"]


def test_datagrams_and_connections_have_half_of_an_uplink_each() -> None:
    pair = Pair(MEGABYTE)
    pair.bob.acceptor = Listener(sink := Toy())
    Dial(pair.ann, pair.bob, Toy(bytes(3 * MEGABYTE)))

    def one() -> None:
        pair.paths.send(pair.ann, [bytes(972)], pair.bob.address)
        pair.world.after(0.001, one)  # as fast as the whole line

    pair.world.after(0.5, one)
    pair.world.run(0.6)
    before = len(sink.got)
    pair.world.run(1.0)
    assert len(sink.got) - before == pytest.approx(0.5 * MEGABYTE, rel=0.1)


def test_a_greedy_connection_fills_the_buffer_that_datagrams_wait_in() -> None:
    pair = Pair(MEGABYTE)
    pair.ann.uplink.buffer, pair.ann.uplink.fill = 200_000, 150_000
    pair.bob.acceptor = Listener(Toy())
    Dial(pair.ann, pair.bob, Toy(bytes(3 * MEGABYTE)))
    pair.world.run(1.0)
    pair.numbered(1)
    pair.world.run(1.0)
    assert pair.counts.delay == pytest.approx(0.15, abs=0.03)
