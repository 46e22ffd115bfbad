from random import Random

from bittern.base.address import Address
from bittern.engine.dht.dht import Dht
from bittern.engine.dht.events import Event, ItemFound, PeersFound, SearchDone
from bittern.engine.dht.items import Item
from bittern.engine.dht.node import Node, NodeSettings
from bittern.wire.krpc import AnnouncePeer, Contact, Ping, Query, Reply
from bittern.wire.krpc_reader import read_message

HASH = b"\2" * 20


def dht_at(number: int) -> tuple[Dht, dict[bool, Address]]:
    places = {False: Address(f"66.0.{number}.1", 1), True: Address(f"2001:db8:{number + 1:x}::1", 1)}
    rng = Random(number)
    nodes = [
        Node(NodeSettings(ipv6=ipv6), rng=rng, entropy=rng.randbytes, verify=lambda *_: True, now=0.0, host=place.host)
        for ipv6, place in places.items()
    ]
    return Dht(nodes), places


class Net:
    def __init__(self, count: int, *, acquainted: bool = True) -> None:
        self.all = [dht_at(number) for number in range(count)]
        self.now = 0.0
        if acquainted:
            for one, _ in self.all:
                for other, places in self.all:
                    if one is not other:
                        for node, place in zip(other.nodes, places.values(), strict=True):
                            one.nodes[place.is_ipv6].table.answered(Contact(node.id, place), 0.0)

    def run(self, who: Dht, seconds: float) -> list[Event]:
        end, events = self.now + seconds, list[Event]()
        while self.now < end:
            self.now = max(self.now + 0.001, min(end, *(dht.next_deadline() for dht, _ in self.all)))
            for dht, _ in self.all:
                dht.advance(self.now)
            moved = True
            while moved:
                moved = False
                for dht, places in self.all:
                    for at, datagram, target in dht.take_datagrams():
                        moved = True
                        for other, there in self.all:
                            if target in there.values():
                                other.receive(list(there.values()).index(target), datagram, places[bool(at)], self.now)
                    taken = dht.take_events(self.now)
                    events += taken if dht is who else []
        return events


def test_a_search_runs_in_both_families_and_is_done_once() -> None:
    net = Net(6)
    (announcer, places), (seeker, _) = net.all[0], net.all[5]
    announcer.find_peers(HASH, net.now, announce=AnnouncePeer(HASH, 7000, b""))
    net.run(announcer, 5.0)
    number = seeker.find_peers(HASH, net.now, scrape=True)
    events = net.run(seeker, 5.0)
    found = {peer for e in events if isinstance(e, PeersFound) and e.search == number for peer in e.peers}
    assert found == {Address(place.host, 7000) for place in places.values()}
    (done,) = [e for e in events if isinstance(e, SearchDone) and e.search == number]
    assert {contact.address.is_ipv6 for contact in done.closest} == {False, True}
    assert done.scrape is not None
    assert [round(each.count()) for each in done.scrape] == [0, 2]


def test_an_abandoned_search_ends_in_both_families_and_announces_nothing() -> None:
    net = Net(6)
    announcer, _ = net.all[0]
    number = announcer.find_peers(HASH, net.now, announce=AnnouncePeer(HASH, 7000, b""))
    announcer.abandon(number, net.now)
    (done,) = [e for e in net.run(announcer, 5.0) if isinstance(e, SearchDone)]
    assert (done.search, done.stored) == (number, 0)
    assert [node.stored[0] for dht, _ in net.all for node in dht.nodes] == [0] * 12


def test_items_are_stored_and_found_by_one_number() -> None:
    net, item = Net(4), Item(b"5:hello")
    number = net.all[0][0].put_item(item, net.now)
    (done,) = [e for e in net.run(net.all[0][0], 5.0) if isinstance(e, SearchDone) and e.search == number]
    assert done.stored == 6
    number = net.all[1][0].get_item(item.target, net.now)
    assert ItemFound(number, item) in net.run(net.all[1][0], 5.0)


def test_nodes_of_one_family_lead_to_those_of_the_other() -> None:
    net = Net(5, acquainted=False)
    for dht, _ in net.all[1:]:
        dht.add_router(net.all[0][1][False], 0.0)
    # The first has met the others' IPv6 nodes; they hear of each other over IPv4 alone.
    for dht, places in net.all[1:]:
        net.all[0][0].nodes[True].table.answered(Contact(dht.nodes[True].id, places[True]), 0.0)
    net.run(net.all[1][0], 60.0)
    assert len(net.all[1][0].nodes[True].table) >= 2


def test_what_is_of_no_family_here_is_left_alone() -> None:
    rng = Random(1)
    only4 = Dht([Node(NodeSettings(), rng=rng, entropy=rng.randbytes, verify=lambda *_: True, now=0.0)])
    only4.receive(0, b"d", Address("2001:db8::1", 1), 0.0)
    only4.meet(Address("2001:db8::1", 1), 0.0)
    only4.add_router(Address("2001:db8::1", 1), 0.0)
    only4.advance(1.0)
    assert only4.take_datagrams() == []
    number = only4.find_nodes(HASH, 1.0)
    (done,) = only4.take_events(1.0)
    assert isinstance(done, SearchDone)
    assert done.search == number
    assert only4.sample(HASH, 1.0) == number + 1


def test_each_of_several_addresses_has_a_node_of_its_own_and_they_search_in_turns() -> None:
    """BEP 45: to others they are strangers, and no target is looked for by two of them at once."""
    rng = Random(1)
    hosts = [f"66.{number}.0.1" for number in range(3)]
    nodes = [
        Node(NodeSettings(), rng=rng, entropy=rng.randbytes, verify=lambda *_: True, now=0.0, host=host)
        for host in hosts
    ]
    many = Dht(nodes)
    assert len({node.id[0] for node in nodes}) == 3  # far apart, too
    others = [Contact(rng.randbytes(20), Address(f"77.{number}.0.1", 1)) for number in range(3)]
    for number, contact in enumerate(others[:2]):
        many.nodes[number].table.answered(contact, 0.0)
    askers = []
    for _ in range(4):
        many.find_nodes(HASH, 0.0)
        ((at, _, target),) = many.take_datagrams()
        assert target == others[at].address  # who knows nobody is not asked to search
        askers.append(at)
    assert sorted(askers) == [0, 0, 1, 1]
    many.meet(others[2].address, 0.0)
    many.nodes[2].advance(0.0)
    assert [(at, target) for at, _, target in many.take_datagrams()] == [(2, others[2].address)]
    many.receive(1, Query(b"aa", others[0].id, Ping()).encode(), others[0].address, 0.0)
    ((at, datagram, _),) = many.take_datagrams()
    reply = read_message(datagram)
    assert isinstance(reply, Reply)
    assert (at, reply.sender) == (1, nodes[1].id)
