from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.dht.bound_ids import bind_id, is_bound
from bittern.engine.dht.calls import GONE_SECONDS, SLOW_SECONDS
from bittern.engine.dht.events import Event, ItemFound, PeersFound, SamplesFound, SearchDone
from bittern.engine.dht.items import Item
from bittern.engine.dht.node import Node, NodeSettings
from bittern.engine.dht.places import nobody
from bittern.engine.dht.searches import MAX_ACTIVE
from bittern.engine.dht.state import NodeState
from bittern.engine.dht.table import FRESH_SECONDS
from bittern.wire.krpc import (
    SERVER,
    AnnouncePeer,
    Ask,
    Contact,
    FindNode,
    GetItem,
    GetPeers,
    Ping,
    PutItem,
    Query,
    Refusal,
    Reply,
    SampleInfohashes,
    pack_contacts,
)
from bittern.wire.krpc_reader import read_message

SENDER, HASH = b"\1" * 20, b"\2" * 20
ASKER = Address("5.6.7.8", 6881)


def is_signed(*said: bytes) -> bool:
    return said[1] == b"g" * 64


def node(
    seed: int = 1,
    *,
    state: NodeState | None = None,
    host: str | None = None,
    ipv6: bool = False,
    read_only: bool = False,
    anonymous: bool = False,
    shuns: Callable[[str], bool] = nobody,
) -> Node:
    rng = Random(seed)
    return Node(
        NodeSettings(ipv6=ipv6, read_only=read_only, anonymous=anonymous),
        rng=rng,
        entropy=rng.randbytes,
        verify=is_signed,
        now=0.0,
        state=state,
        host=host,
        shuns=shuns,
    )


def ask(some: Node, what: Ask, *, asker: Address = ASKER, now: float = 0.0, read_only: bool = False) -> list[object]:
    some.receive(Query(b"aaaa", SENDER, what, read_only).encode(), asker, now)
    return [read_message(datagram) for datagram, target in some.take_datagrams() if target == asker]


class Net:
    """Some nodes, each at an address of its own, in a network without loss or delay."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.nodes: dict[Address, Node] = {}
        self.events: dict[Address, list[Event]] = {}
        for number in range(count):
            self.add(Address(f"66.{number >> 8}.{number & 255}.1", 6881))

    def add(self, address: Address) -> Node:
        rng = Random(str(address))
        routers = tuple(list(self.nodes)[:1])
        made = Node(
            NodeSettings(routers=routers),
            rng=rng,
            entropy=rng.randbytes,
            verify=is_signed,
            now=self.now,
            host=address.host,
        )
        self.nodes[address] = made
        self.events[address] = []
        return made

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            while self._deliver():
                pass
            due = min(each.next_deadline() for each in self.nodes.values())
            if due > end:
                break
            self.now = max(self.now, due)
            for each in self.nodes.values():
                if each.next_deadline() <= self.now:
                    each.advance(self.now)
        self.now = end

    def of(self, some: Node) -> list[Event]:
        return next(self.events[address] for address, each in self.nodes.items() if each is some)

    def _deliver(self) -> bool:
        sent = [(address, *each) for address, some in self.nodes.items() for each in some.take_datagrams()]
        for source, datagram, target in sent:
            if target in self.nodes:
                self.nodes[target].receive(datagram, source, self.now)
        for address, some in self.nodes.items():
            self.events[address] += some.take_events()
        return bool(sent)


def net_of(count: int) -> tuple[Net, list[Node]]:
    net = Net(count)
    net.run(120.0)
    return net, list(net.nodes.values())


def test_nodes_find_each_other_from_one_that_they_know() -> None:
    _, nodes = net_of(40)
    # All but the one that all knew; that is a router for the others and in no table.
    assert min(len(each.table) for each in nodes) >= 12
    for each in nodes:
        each.table.check_invariants()


def test_a_peer_that_is_announced_is_found_by_another_node() -> None:
    net, nodes = net_of(30)
    nodes[3].find_peers(HASH, net.now, announce=AnnouncePeer(HASH, 7000, b""))
    net.run(10.0)
    number = nodes[20].find_peers(HASH, net.now, scrape=True)
    net.run(10.0)
    announcer = list(net.nodes)[3]
    found = [event for event in net.of(nodes[20]) if isinstance(event, PeersFound)]
    assert found == [PeersFound(number, HASH, (Address(announcer.host, 7000),))]
    (done,) = [e for e in net.of(nodes[20]) if isinstance(e, SearchDone) and e.search == number]
    assert done.scrape is not None
    assert [round(each.count()) for each in done.scrape] == [0, 1]
    assert 1 <= sum(each.stored[0] for each in nodes) <= 40


def test_items_that_are_put_are_got_and_newer_versions_win() -> None:
    net, nodes = net_of(30)
    first, second = (Item(b"i%de" % seq, b"k" * 32, b"salt", seq, b"g" * 64) for seq in (1, 2))
    for item in (first, second, Item(b"5:hello")):
        nodes[3].put_item(item, net.now)
        net.run(10.0)
        number = nodes[20].get_item(item.target, net.now, salt=item.salt)
        net.run(10.0)
        assert [e.item for e in net.of(nodes[20]) if isinstance(e, ItemFound) and e.search == number][-1] == item
    number = nodes[3].put_item(first, net.now)
    net.run(10.0)
    (done,) = [e for e in net.of(nodes[3]) if isinstance(e, SearchDone) and e.search == number]
    assert done.stored == 0


def test_cas_that_names_another_version_stores_nothing() -> None:
    net, nodes = net_of(20)
    nodes[3].put_item(Item(b"i1e", b"k" * 32, b"", 1, b"g" * 64), net.now)
    net.run(10.0)
    number = nodes[4].put_item(Item(b"i3e", b"k" * 32, b"", 3, b"g" * 64), net.now, cas=2)
    net.run(10.0)
    (done,) = [e for e in net.of(nodes[4]) if isinstance(e, SearchDone) and e.search == number]
    assert done.stored <= 1  # where the first one stored nothing: in itself
    assert done.answered >= 7


def test_samples_tell_of_torrents_that_were_announced() -> None:
    net, nodes = net_of(20)
    nodes[3].find_peers(HASH, net.now, announce=AnnouncePeer(HASH, 1, b""))
    net.run(10.0)
    nodes[4].sample(HASH, net.now)
    net.run(10.0)
    assert HASH in {h for e in net.of(nodes[4]) if isinstance(e, SamplesFound) for h in e.info_hashes}


def test_an_answer_from_elsewhere_or_with_another_transaction_is_ignored() -> None:
    some = node()
    some.meet(ASKER, 0.0)
    some.advance(0.0)
    ((datagram, target),) = some.take_datagrams()
    query = read_message(datagram)
    assert target == ASKER
    for transaction, source in ((b"zzzz", ASKER), (query.transaction, Address(ASKER.host, 1))):
        some.receive(Reply(transaction, SENDER).encode(), source, 0.1)
        assert len(some.table) == 0
    some.receive(Reply(query.transaction, SENDER).encode(), ASKER, 0.1)
    assert [entry.contact for entry in some.table] == [Contact(SENDER, ASKER)]


def test_who_asks_is_asked_back_before_it_comes_into_the_table() -> None:
    some = node()
    (reply,) = ask(some, Ping())
    assert isinstance(reply, Reply)
    assert len(some.table) == 0
    some.advance(1.0)
    ((datagram, target),) = some.take_datagrams()
    assert target == ASKER
    some.receive(Reply(read_message(datagram).transaction, SENDER).encode(), ASKER, 1.1)
    assert len(some.table) == 1


def test_who_is_read_only_is_answered_and_not_asked_back() -> None:
    some = node()
    assert len(ask(some, Ping(), read_only=True)) == 1
    some.advance(1.0)
    assert some.take_datagrams() == []


def test_a_read_only_node_says_so_and_answers_nobody() -> None:
    some = node(read_only=True)
    assert ask(some, Ping()) == []
    some.receive(b"d1:ad2:id5:shorte1:q4:ping1:t2:aa1:y1:qe", ASKER, 0.0)
    some.meet(ASKER, 0.0)
    some.advance(0.0)
    ((datagram, _),) = some.take_datagrams()
    query = read_message(datagram)
    assert isinstance(query, Query)
    assert query.read_only


def test_searches_that_have_waited_for_nobody_are_over_at_once() -> None:
    some = node()
    some.table.answered(Contact(b"\7" * 20, ASKER), 0.0)
    begun = {some.find_nodes(HASH, 0.0) for _ in range(3 * MAX_ACTIVE)}
    some.advance(SLOW_SECONDS)
    some.advance(GONE_SECONDS)
    assert len(some.table) == 0
    assert {event.search for event in some.take_events() if isinstance(event, SearchDone)} == begun


def test_a_bad_query_gets_an_error() -> None:
    some = node()
    some.receive(b"d1:ad2:id20:%be1:q4:vote1:t2:aa1:y1:qe" % SENDER, ASKER, 0.0)
    ((datagram, _),) = some.take_datagrams()
    refusal = read_message(datagram)
    assert isinstance(refusal, Refusal)
    assert (refusal.transaction, refusal.code) == (b"aa", 204)


def big_store() -> tuple[Node, bytes]:
    """A node with an item of 900 bytes."""
    some, value = node(), b"900:" + b"v" * 900
    (reply,) = ask(some, GetItem(Item(value).target), read_only=True)
    assert isinstance(reply, Reply)
    assert reply.token is not None
    (stored,) = ask(some, PutItem(reply.token, value), read_only=True)
    assert isinstance(stored, Reply)
    return some, Item(value).target


def test_a_long_answer_waits_until_the_asker_has_shown_that_it_is_there() -> None:
    some, target = big_store()
    (asked_back,) = ask(some, GetItem(target))
    assert isinstance(asked_back, Query)
    some.receive(Reply(asked_back.transaction, SENDER).encode(), ASKER, 0.2)
    ((datagram, _),) = some.take_datagrams()
    reply = read_message(datagram)
    assert isinstance(reply, Reply)
    assert reply.value is not None
    (again,) = ask(some, GetItem(target), now=1.0)
    assert isinstance(again, Reply)
    assert again.value == reply.value


def test_who_does_not_show_itself_gets_a_short_answer() -> None:
    some, target = big_store()
    ask(some, GetItem(target))
    some.advance(1.5)
    replies = [read_message(datagram) for datagram, _ in some.take_datagrams()]
    (reply,) = [each for each in replies if isinstance(each, Reply)]
    assert reply.value is None
    assert reply.token is not None


def test_who_answers_slowly_gets_one_answer_to_each_of_its_questions() -> None:
    some, target = big_store()
    (first,) = ask(some, GetItem(target))
    assert isinstance(first, Query)
    some.advance(1.0)  # it has a short answer now
    some.take_datagrams()
    (second,) = ask(some, GetItem(target), now=1.1)
    assert isinstance(second, Query)
    answers = []
    for query, now in ((first, 1.5), (second, 2.05)):
        some.receive(Reply(query.transaction, SENDER).encode(), ASKER, now)
        messages = [read_message(datagram) for datagram, _ in some.take_datagrams()]
        answers.append([each.value is not None for each in messages if isinstance(each, Reply)])
    assert answers == [[], [True]]


IDS = st.binary(min_size=20, max_size=20)
WANTS = st.sampled_from([(), (b"n4",), (b"n6",), (b"n4", b"n6")])
TOKENS = st.binary(min_size=1, max_size=20)
SEQS = st.none() | st.integers(0, 9)
STORED = Item(b"900:" + b"v" * 900).target
ASKS: st.SearchStrategy[Ask] = st.one_of(
    st.just(Ping()),
    st.builds(FindNode, IDS, WANTS),
    st.builds(GetPeers, st.just(HASH) | IDS, WANTS, st.booleans(), st.booleans()),
    st.builds(AnnouncePeer, IDS, st.integers(1, 65535), TOKENS, st.booleans(), st.booleans()),
    st.builds(GetItem, st.just(STORED) | IDS, SEQS, WANTS),
    st.builds(PutItem, TOKENS, st.just(b"5:hello")),
    st.builds(SampleInfohashes, IDS, WANTS),
)


def well_known() -> Node:
    """A node with a full table, peers of a torrent, an item, and a node of the other family beside it."""
    some, _ = big_store()
    other, rng = node(2, ipv6=True), Random(3)
    some.pair(other)
    for number in range(60):
        some.table.answered(Contact(rng.randbytes(20), Address(f"88.8.{number}.8", 1)), 0.0)
        other.table.answered(Contact(rng.randbytes(20), Address(f"2001:db8:{number + 1:x}::1", 1)), 0.0)
        peer = Address(f"77.7.{number}.7", 1)
        (reply,) = ask(some, GetPeers(HASH), asker=peer, read_only=True)
        assert isinstance(reply, Reply)
        assert reply.token is not None
        ask(some, AnnouncePeer(HASH, 1, reply.token, seed=number % 2 == 0), asker=peer, read_only=True)
    return some


@given(st.lists(st.tuples(ASKS, st.booleans()), max_size=20))
@settings(max_examples=60)
def test_a_forged_address_gets_no_more_than_three_times_the_bytes(asks: list[tuple[Ask, bool]]) -> None:
    some = well_known()
    victim = Address("99.9.9.9", 9)
    sent = got = 0
    for what, read_only in asks:
        datagram = Query(b"aa", SENDER, what, read_only, version=b"").encode()
        sent += len(datagram)
        some.receive(datagram, victim, 0.0)
        answers = [each for each, target in some.take_datagrams() if target == victim]
        assert sum(map(len, answers)) <= 3 * len(datagram)
        got += sum(map(len, answers))
    # Short answers to who does not answer; the questions to strangers are few for all of them together.
    for now in (1.0, 1.5, 4.5):
        some.advance(now)
        messages = [(each, read_message(each)) for each, target in some.take_datagrams() if target == victim]
        got += sum(len(each) for each, message in messages if isinstance(message, Reply))
    assert got <= 3 * sent


def test_state_goes_into_the_next_run() -> None:
    _, nodes = net_of(12)
    state = nodes[5].state()
    again = node(9, state=NodeState.decode(state.encode()))
    assert again.id == nodes[5].id
    again.advance(0.0)
    asked = {target for _, target in again.take_datagrams()}
    assert asked
    assert asked <= {contact.address for contact in state.contacts}


def test_an_id_is_bound_to_an_address_that_is_known_from_the_beginning() -> None:
    assert is_bound(node(host="5.6.7.8").id, "5.6.7.8")


def test_when_others_agree_on_our_address_the_id_is_bound_to_it() -> None:
    some = node()
    for number in range(10):
        other = Address(f"66.{number}.1.1", 6881)
        some.meet(other, float(number))
        some.advance(float(number))
        for datagram, target in some.take_datagrams():
            message = read_message(datagram)
            if target == other and isinstance(message, Query):
                own = bind_id(other.host, Random(number).randbytes(20))
                some.receive(Reply(message.transaction, own, external=ASKER).encode(), other, number + 0.1)
    assert is_bound(some.id, ASKER.host)
    assert len(some.table) >= 8
    some.table.check_invariants()


def test_who_answers_with_errors_is_there_and_others_are_asked_after_it() -> None:
    """Else one node that refuses every ping would be the stalest of all for ever."""
    some = node()
    contacts = [Contact(Random(number).randbytes(20), Address(f"66.{number}.1.1", 6881)) for number in range(10, 14)]
    for at, each in enumerate(contacts):
        some.table.answered(each, float(at))
    pinged: list[Address] = []
    while (now := some.next_deadline()) < 2 * FRESH_SECONDS:
        some.advance(now)
        while sent := some.take_datagrams():
            for datagram, target in sent:
                query = read_message(datagram)
                if isinstance(query, Query) and query.ask == Ping():
                    pinged.append(target)
                some.receive(Refusal(query.transaction, SERVER).encode(), target, now)
    assert max(map(pinged.count, pinged), default=0) <= 2
    assert min(entry.heard_at for entry in some.table) >= FRESH_SECONDS
    assert len(some.table) == 4


def test_who_knows_none_but_the_gone_begins_again_where_it_began() -> None:
    """A whole network that has moved while the machine slept: only the well-known node is where it was."""
    router, new = Address("99.9.9.9", 1), Contact(b"\x33" * 20, Address("88.8.8.8", 1))
    some = node()
    some.add_router(router, 0.0)
    old = [Contact(Random(number).randbytes(20), Address(f"66.{number}.1.1", 6881)) for number in range(10, 20)]
    for each in old:
        some.table.answered(each, 0.0)
    now = 1000.0
    while now < 1600.0:
        some.advance(now)
        while sent := some.take_datagrams():
            for datagram, target in sent:
                if target in (router, new.address):
                    own_id = new.id if target == new.address else b"\x44" * 20
                    reply = Reply(read_message(datagram).transaction, own_id, nodes=pack_contacts([new]))
                    some.receive(reply.encode(), target, now)
        now = max(now + 0.01, some.next_deadline())
    known = {entry.contact for entry in some.table}
    assert new in known
    assert not known & set(old)


def test_while_nothing_comes_nobody_is_given_up() -> None:
    net, nodes = net_of(10)
    alone = nodes[4]
    known = len(alone.table)
    now = net.now
    while now < net.now + 7200.0:
        now = max(now + 0.1, alone.next_deadline())
        alone.advance(now)
        alone.take_datagrams()
    assert len(alone.table) >= known - 2


def test_nodes_of_both_families_tell_of_each_other() -> None:
    four, six = node(1), node(2, ipv6=True)
    four.pair(six)
    six_contact = Contact(b"\6" * 20, Address("2001:db8::6", 1))
    six.table.answered(six_contact, 0.0)
    (reply,) = ask(four, FindNode(HASH, (b"n6",)))
    assert isinstance(reply, Reply)
    assert reply.contacts(ipv6=True) == [six_contact]


@given(st.binary(max_size=300))
def test_whatever_comes_it_goes_on(datagram: bytes) -> None:
    some = node()
    some.receive(datagram, ASKER, 0.0)
    some.advance(1.0)
    assert sum(len(each) for each, _ in some.take_datagrams()) <= 3 * len(datagram)


def test_nothing_is_said_to_whom_it_shuns_and_nothing_heard_from_there() -> None:
    some = node(shuns=lambda host: host == ASKER.host)
    assert ask(some, Ping()) == []
    assert len(ask(some, Ping(), asker=Address("5.6.7.9", 6881))) > 0
    some.add_router(ASKER, 0.0)
    some.meet(ASKER, 0.0)
    some.find_nodes(HASH, 0.0)
    some.advance(1.0)
    assert all(target.host != ASKER.host for _, target in some.take_datagrams())


def test_who_is_anonymous_does_not_say_which_client_it_is() -> None:
    for anonymous in (True, False):
        one = node(anonymous=anonymous)
        one.receive(Query(b"aa", SENDER, Ping()).encode(), ASKER, 1.0)
        one.receive(b"d1:ad2:id20:%be1:q4:what1:t2:aa1:y1:qe" % SENDER, ASKER, 1.0)
        sent = [datagram for datagram, _ in one.take_datagrams()]
        assert len(sent) >= 2
        assert [b"1:v" in datagram for datagram in sent] == [not anonymous] * len(sent)
