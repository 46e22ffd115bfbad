from random import Random

from bittern.base.address import Address
from bittern.engine.dht.dht import Dht
from bittern.engine.dht.events import Event, ItemFound, PeersFound, SearchDone
from bittern.engine.dht.items import Item
from bittern.engine.dht.node import Node, NodeSettings
from bittern.engine.dht.upkeep import FEW
from bittern.wire.krpc import BOTH, AnnouncePeer, Contact, FindNode, Ping, Query, Reply, pack_contacts
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


def sent(dht: Dht) -> list[tuple[Query, Address]]:
    """What a table asks whom."""
    messages = [(read_message(datagram), target) for _, datagram, target in dht.take_datagrams()]
    return [(message, target) for message, target in messages if isinstance(message, Query)]


def named(query: Query, *contacts: Contact) -> bytes:
    """The answer of a node that names nodes of IPv6."""
    return Reply(query.transaction, b"\x08" * 20, nodes6=pack_contacts(contacts)).encode()


def test_a_node_to_begin_with_leads_to_nodes_of_the_other_family() -> None:
    """BEP 32: who has an IPv4 address to begin with finds its way in both networks."""
    dht, _ = dht_at(0)
    router, six = Address("66.9.9.9", 1), Contact(b"\6" * 20, Address("2001:db9::6", 1))
    near = Contact(b"\7" * 20, Address("fe80::7", 1))  # who is far away knows nobody in our own network
    dht.add_router(router, 0.0)
    dht.advance(0.0)
    question = next(query for query, target in sent(dht) if target == router)
    dht.receive(0, named(question, near, six), router, 0.1)
    assert dht.take_events(0.1) == []
    dht.advance(0.5)
    assert {target for _, target in sent(dht) if target.is_ipv6} == {six.address}


def test_where_one_family_has_lost_its_nodes_the_other_looks_for_some() -> None:
    dht, _ = dht_at(0)
    others = [Contact(Random(at).randbytes(20), Address(f"66.{at}.0.1", 1)) for at in range(1, 9)]
    for each in others:
        dht.nodes[False].table.answered(each, 0.0)
    six = [Contact(Random(-at).randbytes(20), Address(f"2001:db9:{at:x}::1", 1)) for at in range(1, FEW + 1)]

    def asked() -> list[tuple[Query, Address]]:
        dht.nodes[False].look_up(HASH, (), 0.0)
        dht.nodes[False].advance(0.0)
        return [(query, target) for query, target in sent(dht) if query.ask in (FindNode(HASH), FindNode(HASH, BOTH))]

    assert {query.ask for query, _ in asked()} == {FindNode(HASH, BOTH)}
    for each in six:
        dht.nodes[True].table.answered(each, 0.0)
    (query, target), *others_asked = asked()
    assert {query.ask, *(each.ask for each, _ in others_asked)} == {FindNode(HASH)}
    dht.receive(0, named(query, Contact(b"\6" * 20, Address("2001:db9::6", 1))), target, 0.1)
    assert dht.nodes[False].take_events() == []  # nobody asked


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
