from dataclasses import replace
from random import Random

from bittern.base.address import Address
from bittern.engine.dht.bloom import Filter
from bittern.engine.dht.bound_ids import bind_id
from bittern.engine.dht.calls import Asker
from bittern.engine.dht.enough import WIDTH
from bittern.engine.dht.events import Event, ItemFound, PeersFound, SamplesFound, SearchDone
from bittern.engine.dht.items import Item
from bittern.engine.dht.lookup import THOROUGH, Lookup
from bittern.engine.dht.searches import ENOUGH, MAX_ACTIVE, ItemSearch, PeerSearch, SampleSearch, Search, Searches
from bittern.wire.krpc import AnnouncePeer, Ask, Contact, FindNode, GetItem, GetPeers, PutItem, Reply

TARGET = b"\xaa" * 20
PEER = Address("9.9.9.9", 9)


class Net:
    """Answers everything as it is told."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.events: list[Event] = []
        self.asked: list[Ask] = []
        self.told: list[tuple[Contact, Ask]] = []
        self._line: list[tuple[Contact, Ask, Asker]] = []
        self.silent: set[Contact] = set()
        self.mean: set[Contact] = set()
        """They give nobody a token."""

    def ask(self, contact: Contact, ask: Ask, asker: Asker, now: float) -> None:
        self.asked.append(ask)
        self.told.append((contact, ask))
        self._line.append((contact, ask, asker))

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def run(self, search: Search, contacts: list[Contact]) -> SearchDone:
        search.lookup.begin(contacts)
        search.go_on(0.0)
        while self._line:
            contact, _, asker = self._line.pop(0)
            if contact in self.silent:
                asker.slow(contact, 1.0)
                asker.failed(contact, 4.0)
            else:
                token = None if contact in self.mean else self.reply.token
                asker.answered(contact, replace(self.reply, sender=contact.id, token=token), 1.0)
        (done,) = [event for event in self.events if isinstance(event, SearchDone)]
        assert search.is_over
        return done


def contacts(count: int = 20) -> list[Contact]:
    hosts = [f"66.{number}.1.1" for number in range(count)]
    return [Contact(bind_id(host, Random(host).randbytes(20)), Address(host, 1)) for host in hosts]


def lookup(target: bytes = TARGET) -> Lookup:
    return Lookup(target)


def yes(*said: bytes) -> bool:
    return said[1] == b"g" * 64


def test_a_search_tells_who_stands_round_its_target() -> None:
    net = Net(Reply(b"", b""))
    done = net.run(Search(7, lookup(), net, ipv6=False), contacts())
    ranked = sorted(contacts(), key=lambda each: int.from_bytes(each.id) ^ int.from_bytes(TARGET))
    assert done.closest == tuple(ranked[:WIDTH])
    assert (done.search, done.asked, done.answered, done.stored) == (7, WIDTH, WIDTH, 0)
    assert set(net.asked) == {FindNode(TARGET)}


def test_a_search_without_anybody_to_ask_ends_at_once() -> None:
    net = Net(Reply(b"", b""))
    assert net.run(Search(1, lookup(), net, ipv6=False), []).asked == 0


def test_peers_are_told_of_once_and_we_are_announced_with_each_token() -> None:
    net = Net(Reply(b"", b"", token=b"tt", values=(PEER.compact(),)))
    announce = AnnouncePeer(TARGET, 7000, b"", seed=True)
    done = net.run(PeerSearch(1, lookup(), net, ipv6=False, announce=announce), contacts())
    assert [e.peers for e in net.events if isinstance(e, PeersFound)] == [(PEER,)]
    assert net.asked.count(AnnouncePeer(TARGET, 7000, b"tt", seed=True)) == WIDTH == done.stored
    assert done.asked == len(net.asked) == len(contacts()) + WIDTH


def test_nothing_is_announced_to_who_gives_no_token_or_when_it_is_not_wanted() -> None:
    net = Net(Reply(b"", b""))
    net.run(PeerSearch(1, lookup(), net, ipv6=False, announce=AnnouncePeer(TARGET, 1, b"")), contacts())
    assert set(net.asked) == {GetPeers(TARGET)}
    net = Net(Reply(b"", b"", token=b"tt"))
    net.run(PeerSearch(1, lookup(), net, ipv6=False, no_seeds=True, scrape=True), contacts())
    assert set(net.asked) == {GetPeers(TARGET, (), no_seeds=True, scrape=True)}


def test_who_found_nothing_or_announces_looks_farther_than_the_closest_eight() -> None:
    peers = Reply(b"", b"", token=b"tt", values=(PEER.compact(),))
    announce = AnnouncePeer(TARGET, 1, b"")
    for reply, wanted, asked in (
        (peers, None, WIDTH),
        (Reply(b"", b""), None, THOROUGH),
        (peers, announce, THOROUGH + WIDTH),
    ):
        net = Net(reply)
        assert net.run(PeerSearch(1, lookup(), net, ipv6=False, announce=wanted), contacts(60)).asked == asked
    item = Item(b"5:hello")
    for put, value, asked in ((None, item.value, WIDTH), (None, None, THOROUGH), (item, None, THOROUGH + WIDTH)):
        net = Net(Reply(b"", b"", token=b"tt", value=value))
        search = ItemSearch(1, lookup(item.target), net, ipv6=False, verify=yes, put=put)
        assert net.run(search, contacts(60)).asked == asked


def test_where_the_closest_take_nothing_the_next_are_told() -> None:
    """BEP 42: the closest that give a token are written to; else eight could keep a torrent from being announced."""
    net = Net(Reply(b"", b"", token=b"tt"))
    ranked = sorted(contacts(60), key=lambda each: int.from_bytes(each.id) ^ int.from_bytes(TARGET))
    net.mean = set(ranked[:WIDTH])
    done = net.run(PeerSearch(1, lookup(), net, ipv6=False, announce=AnnouncePeer(TARGET, 1, b"")), contacts(60))
    assert (done.stored, done.closest) == (WIDTH, tuple(ranked[:WIDTH]))
    assert {each for each, ask in net.told if isinstance(ask, AnnouncePeer)} == set(ranked[WIDTH : 2 * WIDTH])


def test_filters_of_many_nodes_are_joined() -> None:
    net = Net(Reply(b"", b"", seeds=bytes(Filter(["1.1.1.1"])), peers=bytes(Filter(["2.2.2.2", "3.3.3.3"]))))
    done = net.run(PeerSearch(1, lookup(), net, ipv6=False, scrape=True), contacts())
    assert done.scrape is not None
    assert [round(each.count()) for each in done.scrape] == [1, 2]


def test_silent_nodes_do_not_keep_a_search_from_its_end() -> None:
    net = Net(Reply(b"", b"", token=b"tt"))
    net.silent = set(contacts()[::2])
    done = net.run(PeerSearch(1, lookup(), net, ipv6=False, announce=AnnouncePeer(TARGET, 1, b"")), contacts())
    assert (done.answered, done.stored) == (len(contacts()) // 2, WIDTH)


def test_an_item_is_told_of_once_and_only_if_it_is_genuine() -> None:
    item = Item(b"5:hello")
    net = Net(Reply(b"", b"", value=item.value))
    net.run(ItemSearch(1, lookup(item.target), net, ipv6=False, verify=yes), contacts())
    assert [e.item for e in net.events if isinstance(e, ItemFound)] == [item]
    net = Net(Reply(b"", b"", value=b"5:other"))
    net.run(ItemSearch(1, lookup(item.target), net, ipv6=False, verify=yes), contacts())
    assert [e for e in net.events if isinstance(e, ItemFound)] == []


def test_cas_goes_only_to_nodes_that_have_something() -> None:
    item = Item(b"5:hello", b"k" * 32, b"", 5, b"g" * 64)
    old = Reply(b"", b"", token=b"tt", value=b"5:first", key=item.key, seq=4, signature=b"g" * 64)
    short = Reply(b"", b"", token=b"tt", seq=4)  # what a node tells that does not know us yet
    for reply, cas in ((old, 4), (short, 4), (Reply(b"", b"", token=b"tt"), None)):
        net = Net(reply)
        done = net.run(ItemSearch(1, lookup(item.target), net, ipv6=False, verify=yes, put=item, cas=4), contacts())
        puts = [ask for ask in net.asked if isinstance(ask, PutItem)]
        assert puts == [PutItem(b"tt", item.value, item.key, b"", 5, item.signature, cas)] * done.stored
        assert GetItem(item.target) in net.asked


def test_samples_are_told_with_who_gave_them() -> None:
    net = Net(Reply(b"", b"", samples=b"h" * 40, count=9, interval=60))
    net.run(SampleSearch(3, lookup(), net, ipv6=False), contacts(4))
    found = [event for event in net.events if isinstance(event, SamplesFound)]
    assert {event.contact for event in found} == set(contacts(4))
    assert all((e.info_hashes, e.count, e.interval) == ((b"h" * 20,) * 2, 9, 60) for e in found)


def test_an_abandoned_search_asks_nobody_and_writes_nothing_any_more() -> None:
    net, searches = Net(Reply(b"", b"", token=b"tt")), Searches()
    announce = AnnouncePeer(TARGET, 7000, b"")
    search = PeerSearch(searches.number(), lookup(), net, ipv6=False, announce=announce)
    searches.add(search)
    searches.take_ready()
    search.lookup.begin(contacts())
    search.go_on(0.0)
    asked = len(net.asked)
    searches.abandon(search.number)
    for contact, _, asker in net._line:
        asker.answered(contact, replace(net.reply, sender=contact.id), 1.0)
    assert (len(net.asked), search.stored) == (asked, 0)
    assert [type(event) for event in net.events] == [SearchDone]
    searches.take_ready()
    assert len(searches) == 0


def test_a_search_that_waits_may_be_abandoned_too() -> None:
    net, searches = Net(Reply(b"", b"")), Searches()
    for _ in range(MAX_ACTIVE + 1):
        searches.add(Search(searches.number(), lookup(), net, ipv6=False))
    searches.take_ready()
    searches.abandon(MAX_ACTIVE + 1)
    assert [event.search for event in net.events if isinstance(event, SearchDone)] == [MAX_ACTIVE + 1]
    searches.abandon(1)
    assert (searches.take_ready(), len(searches), net.asked) == ([], MAX_ACTIVE - 1, [])
    searches.abandon(MAX_ACTIVE + 2)  # there is none such


def test_so_many_searches_run_at_once_and_the_others_in_turn() -> None:
    net, searches = Net(Reply(b"", b"")), Searches()
    made = [Search(searches.number(), lookup(), net, ipv6=False) for _ in range(MAX_ACTIVE + 3)]
    for search in made:
        searches.add(search)
    assert [search for search, _ in searches.take_ready()] == made[:MAX_ACTIVE]
    assert searches.take_ready() == []
    made[0].go_on(0.0)
    assert [search for search, _ in searches.take_ready()] == [made[MAX_ACTIVE]]
    assert len(searches) == MAX_ACTIVE + 2


def test_the_radius_is_known_after_some_lookups_and_one_crowd_does_not_change_it() -> None:
    searches = Searches()

    def finished(count: int) -> Lookup:
        some = lookup()
        some.begin(contacts(count))
        while not some.is_done:
            for contact in some.take_next():
                some.answered(contact, contact, [])
        return some

    for _ in range(ENOUGH):
        assert searches.radius == 0
        searches.learn(finished(20))
    expected = finished(20).reach()
    assert searches.radius == expected
    searches.learn(finished(100))
    searches.learn(finished(3))
    assert searches.radius == expected
