"""Conversations with UDP trackers: one look-up and one connection id for all, repetitions, and who is believed."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.ip_ranges import IpRanges
from bittern.engine.effects import Resolve, SendDatagram
from bittern.engine.sources.udp_trackers import CONNECTION_SECONDS, Answer, UdpAsk, UdpTrackers
from bittern.engine.swarm.ip_filter import Blocked, IpFilter
from bittern.wire.announce import AnnounceReply, AnnounceRequest, ScrapeEntry
from bittern.wire.tracker_udp import (
    Announce,
    Announced,
    Connect,
    Connected,
    Refused,
    Reply,
    Request,
    Scrape,
    Scraped,
    encode_reply,
    parse_request,
)

URL = "udp://tracker.example:6969/announce"
THERE = Address("192.0.9.1", 6969)
HASH = InfoHashV1(bytes(range(20)))
REQUEST = AnnounceRequest(HASH, PeerId(b"-BZ0100-abcdefghijkl"), 51413, 0, 0, 9, key=5)
REPLY = AnnounceReply(1800, None, (Address("10.0.0.9", 7),), 1, 2)


class Rig:
    """The conversations, with a world that does as it is told."""

    def __init__(self) -> None:
        tickets = iter(range(1000, 9999))
        self.filter = IpFilter()
        self.trackers = UdpTrackers(Random(1).randbytes, lambda: next(tickets), self.filter)
        self.last = 0

    def ask(self, now: float = 0.0, url: str = URL, seconds: float = 60.0, *, local: bool = False) -> int:
        self.last += 1
        self.trackers.ask(UdpAsk(self.last, url, REQUEST, ipv6=False, timeout_seconds=seconds, local=local), now)
        return self.last

    def look_ups(self) -> list[Resolve]:
        return [effect for effect in self.trackers.take_effects() if isinstance(effect, Resolve)]

    def resolve(self, *hosts: str, now: float = 0.0) -> None:
        [wish] = self.look_ups()
        assert self.trackers.resolved(wish.ticket, hosts or (THERE.host,), now)

    def sent(self) -> list[Request]:
        return [parse_request(e.data) for e in self.trackers.take_effects() if isinstance(e, SendDatagram)]

    def comes(self, reply: Reply, now: float, source: Address = THERE) -> bool:
        return self.trackers.datagram(encode_reply(reply), source, now)

    def connect(self, now: float, connection: int = 77) -> None:
        [request] = self.sent()
        assert isinstance(request, Connect)
        assert self.comes(Connected(request.transaction, connection), now)

    def open(self, now: float = 0.0) -> Announce:
        """One question as far as its announce."""
        self.ask(now)
        self.resolve(now=now)
        self.connect(now)
        return self.announces()[0]

    def announces(self) -> list[Announce]:
        return [request for request in self.sent() if isinstance(request, Announce)]

    def answers(self) -> dict[int, Answer]:
        return dict(self.trackers.take_answers())


def test_a_name_is_looked_up_a_connection_made_then_comes_the_announce() -> None:
    rig = Rig()
    ticket = rig.ask()
    rig.resolve()
    rig.connect(0.1)
    [announce] = rig.announces()
    assert (announce.connection, announce.request, announce.url_data) == (77, REQUEST, b"/announce")
    assert rig.answers() == {}
    assert rig.comes(Announced(announce.transaction, REPLY), 0.2)
    assert rig.answers() == {ticket: REPLY}
    assert rig.trackers.next_deadline() == 0.1 + CONNECTION_SECONDS
    rig.trackers.advance(0.1 + CONNECTION_SECONDS)
    assert (rig.trackers.next_deadline(), rig.trackers.lines) == (None, {})


def test_those_who_ask_together_share_look_up_and_connection() -> None:
    rig = Rig()
    tickets = [rig.ask() for _ in range(20)]
    rig.resolve()
    rig.connect(1.0)
    announces = rig.announces()
    assert len({announce.transaction for announce in announces}) == 20
    for announce in reversed(announces):
        rig.comes(Announced(announce.transaction, REPLY), 2.0)
    assert list(rig.answers()) == tickets[::-1]


def test_a_connection_id_serves_for_a_minute() -> None:
    rig = Rig()
    first = rig.open(0.0)
    rig.comes(Announced(first.transaction, REPLY), 0.0)
    rig.ask(CONNECTION_SECONDS - 1)
    assert [announce.connection for announce in rig.announces()] == [77]
    rig.ask(CONNECTION_SECONDS)
    assert [type(request) for request in rig.sent()] == [Connect]


def test_what_has_no_answer_is_sent_again_after_15_then_30_seconds_then_given_up() -> None:
    rig = Rig()
    ticket = rig.ask(seconds=60.0)
    rig.resolve()
    told = []
    while (due := rig.trackers.next_deadline()) is not None:
        told += [(due, request) for request in rig.sent()]
        rig.trackers.advance(due)
    assert [due for due, _ in told] == [15.0, 45.0, 60.0]
    assert len({request.transaction for _, request in told}) == 1
    assert str(rig.answers()[ticket]) == "no answer within 60 s"
    assert rig.trackers.lines == {}


def connects(rig: Rig) -> list[str]:
    """Where a connection id was asked for since the last call."""
    effects = [each for each in rig.trackers.take_effects() if isinstance(each, SendDatagram)]
    assert all(isinstance(parse_request(each.data), Connect) for each in effects)
    return [each.address.host for each in effects]


def test_of_several_addresses_the_next_is_asked_each_time() -> None:
    """Whoever answers, late perhaps, is the one that is announced to."""
    rig = Rig()
    ticket = rig.ask()
    rig.resolve("192.0.9.1", "192.0.9.2", "192.0.9.3")
    [first] = [each for each in rig.trackers.take_effects() if isinstance(each, SendDatagram)]
    rig.trackers.advance(15.0)
    assert connects(rig) == ["192.0.9.2"]
    rig.trackers.advance(45.0)
    assert connects(rig) == ["192.0.9.3"]
    late = Address("192.0.9.2", 6969)
    assert rig.comes(Connected(parse_request(first.data).transaction, 5), 46.0, late)
    [announce] = [each for each in rig.trackers.take_effects() if isinstance(each, SendDatagram)]
    assert announce.address == late
    said = Announced(parse_request(announce.data).transaction, REPLY)
    assert not rig.comes(said, 47.0, Address("192.0.9.3", 6969))
    assert rig.comes(said, 47.0, late)
    assert rig.answers() == {ticket: REPLY}


def test_of_several_addresses_one_that_nothing_can_be_sent_to_is_passed_over_at_once() -> None:
    rig = Rig()
    ticket = rig.ask()
    rig.resolve("192.0.9.1", "192.0.9.2")
    assert connects(rig) == ["192.0.9.1"]
    rig.trackers.unreachable(THERE, "no route", 1.0)
    assert connects(rig) == ["192.0.9.2"]
    rig.trackers.unreachable(Address("192.0.9.2", 6969), "no route", 2.0)
    assert str(rig.answers()[ticket]) == "no route"


@pytest.mark.parametrize("hosts", [("192.0.9.1", "10.0.0.1"), ("192.0.9.1", "192.0.9.7")])
def test_of_several_addresses_those_that_not_everybody_may_ask_are_left_out(hosts: tuple[str, str]) -> None:
    rig = Rig()
    rig.filter.ranges = IpRanges.of(["192.0.9.7"])
    rig.ask()
    rig.resolve(*hosts)
    rig.trackers.advance(15.0)
    assert connects(rig) == ["192.0.9.1", "192.0.9.1"]


def hasty(rig: Rig, now: float) -> int:
    """A question that has 5 s, and is asked again after 2."""
    rig.last += 1
    rig.trackers.ask(UdpAsk(rig.last, URL, REQUEST, ipv6=False, timeout_seconds=5.0, resend_seconds=2.0), now)
    return rig.last


def test_who_has_little_time_asks_again_sooner_and_once() -> None:
    rig = Rig()
    rig.comes(Announced(rig.open().transaction, REPLY), 0.0)
    rig.answers()
    ticket = hasty(rig, 10.0)
    told = []
    for due in (10.0, 12.0, 15.0):
        rig.trackers.advance(due)
        told.append(len(rig.announces()))
    assert told == [1, 1, 0]
    assert str(rig.answers()[ticket]) == "no answer within 5 s"


def test_who_has_little_time_does_not_wait_for_a_connection_that_others_asked_for() -> None:
    rig = Rig()
    rig.ask(0.0)
    rig.resolve()
    assert [type(request) for request in rig.sent()] == [Connect]
    hasty(rig, 1.0)
    assert (rig.sent(), rig.trackers.next_deadline()) == ([], 3.0)
    rig.trackers.advance(3.0)
    rig.connect(3.5)
    assert len(rig.announces()) == 2


def test_an_announce_that_has_no_answer_is_sent_again_with_a_new_connection_when_the_old_is_too_old() -> None:
    """The example of BEP 15: sent at 2, 17, 47, then a new connection is needed at 107."""
    rig = Rig()
    rig.ask(0.0, seconds=600.0)
    rig.resolve()
    rig.connect(1.0)
    [first] = rig.announces()
    for due in (16.0, 46.0):
        assert rig.trackers.next_deadline() == due
        rig.trackers.advance(due)
        assert [announce.transaction for announce in rig.announces()] == [first.transaction]
    rig.trackers.advance(61.0)  # the connection id is too old now
    assert rig.sent() == []
    assert rig.trackers.next_deadline() == 106.0
    rig.trackers.advance(106.0)
    rig.connect(107.0, 88)
    [again] = rig.announces()
    assert (again.connection, again.transaction) == (88, first.transaction)


@pytest.mark.parametrize("source", [Address("192.0.9.2", 6969), Address("192.0.9.1", 6970)])
def test_only_the_address_that_was_asked_is_believed(source: Address) -> None:
    rig = Rig()
    announce = rig.open()
    assert not rig.comes(Announced(announce.transaction, REPLY), 1.0, source)
    assert rig.answers() == {}
    assert rig.comes(Announced(announce.transaction, REPLY), 1.0)


def test_only_the_transaction_that_was_asked_is_believed() -> None:
    rig = Rig()
    announce = rig.open()
    for reply in (Announced(announce.transaction ^ 1, REPLY), Refused(announce.transaction ^ 1, "no")):
        assert not rig.comes(reply, 1.0)
    assert rig.comes(Scraped(announce.transaction, ()), 1.0)  # ours, but no answer to this
    assert rig.comes(Connected(announce.transaction, 5), 1.0)
    assert rig.answers() == {}
    assert rig.comes(Announced(announce.transaction, REPLY), 1.0)
    assert not rig.comes(Announced(announce.transaction, REPLY), 1.0)  # once is enough
    assert len(rig.answers()) == 1


@pytest.mark.parametrize("junk", [b"", b"d1:rde", bytes(8), bytes(7), b"\x00\x00\x00\x01\x00\x00\x00\x00"])
def test_what_belongs_to_others_is_left_to_them(junk: bytes) -> None:
    rig = Rig()
    rig.open()
    assert not rig.trackers.datagram(junk, THERE, 1.0)


def test_a_refusal_is_an_answer_and_the_next_question_begins_with_a_connection() -> None:
    rig = Rig()
    announce = rig.open()
    rig.comes(Refused(announce.transaction, "connection id mismatch"), 1.0)
    assert [str(answer) for answer in rig.answers().values()] == ["connection id mismatch"]
    rig.ask(2.0)
    rig.resolve(now=2.0)
    assert [type(request) for request in rig.sent()] == [Connect]


def test_an_answer_that_is_cut_off_is_a_failure() -> None:
    rig = Rig()
    announce = rig.open()
    assert rig.trackers.datagram(encode_reply(Announced(announce.transaction, REPLY))[:12], THERE, 1.0)
    [answer] = rig.answers().values()
    assert isinstance(answer, TrackerError)


def test_a_tracker_that_gives_no_connection_refuses_all() -> None:
    rig = Rig()
    tickets = [rig.ask(), rig.ask()]
    rig.resolve()
    [request] = rig.sent()
    rig.comes(Refused(request.transaction, "banned"), 1.0)
    assert {ticket: str(answer) for ticket, answer in rig.answers().items()} == dict.fromkeys(tickets, "banned")
    assert rig.trackers.lines == {}


def test_a_name_without_address_of_the_family_is_a_failure() -> None:
    rig = Rig()
    rig.ask()
    rig.resolve("2001:db8::1")
    assert [str(answer) for answer in rig.answers().values()] == [
        "tracker.example has no IPv4 address that can be asked"
    ]
    assert rig.trackers.lines == {}


def test_a_system_that_can_not_send_is_a_failure_at_once() -> None:
    rig = Rig()
    rig.ask()
    rig.resolve()
    rig.trackers.unreachable(Address("192.0.9.2", 1), "other", 0.0)
    assert rig.answers() == {}
    rig.trackers.unreachable(THERE, "no route", 0.0)
    assert [str(answer) for answer in rig.answers().values()] == ["no route"]


def test_a_name_that_leads_into_our_network_is_asked_only_for_who_may() -> None:
    rig = Rig()
    forbidden, allowed = rig.ask(), rig.ask(local=True)
    rig.resolve("192.168.1.1")
    answers = rig.answers()
    assert "local network" in str(answers[forbidden])
    assert allowed not in answers
    [request] = rig.trackers.take_effects()
    assert isinstance(request, SendDatagram)
    assert request.address == Address("192.168.1.1", 6969)


def test_nobody_may_ask_what_tells_secrets_of_virtual_machines() -> None:
    rig = Rig()
    rig.ask(local=True)
    rig.resolve("169.254.169.254")
    assert len(rig.answers()) == 1


def test_swarms_are_scraped_over_the_same_connection() -> None:
    rig = Rig()
    announce = rig.open()
    rig.comes(Announced(announce.transaction, REPLY), 0.0)
    rig.answers()
    rig.trackers.ask(UdpAsk(500, URL, (HASH,), ipv6=False, timeout_seconds=60.0), 1.0)
    [request] = rig.sent()
    assert isinstance(request, Scrape)
    assert request.info_hashes == (HASH,)
    entries = (ScrapeEntry(1, 2, 3),)
    rig.comes(Scraped(request.transaction, entries), 2.0)
    assert rig.answers() == {500: entries}


@pytest.mark.parametrize("url", ["udp://a", "http://a:1/", "udp://a:1/" + "x" * 5000])
def test_what_is_no_url_is_refused_before_anything_is_asked(url: str) -> None:
    rig = Rig()
    with pytest.raises(TrackerError):
        rig.ask(url=url)
    assert (rig.trackers.next_deadline(), rig.trackers.take_effects()) == (None, [])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "time", "resolve", "nowhere", "answer", "refuse", "lose", "stuck"]), st.booleans()
    ),
    max_size=60,
)


@given(STEPS)
def test_every_question_is_answered_once_in_its_time_whatever_happens(steps: list[tuple[str, bool]]) -> None:
    rig, now = Rig(), 0.0
    asked: dict[int, float] = {}
    heard: list[int] = []
    look_ups: list[Resolve] = []
    open_requests: list[tuple[Address, Request]] = []

    def collect() -> None:
        for effect in rig.trackers.take_effects():
            if isinstance(effect, Resolve):
                look_ups.append(effect)
            elif isinstance(effect, SendDatagram):
                open_requests.append((effect.address, parse_request(effect.data)))
        heard.extend(ticket for ticket, _ in rig.trackers.take_answers())

    for step, flag in steps:
        now += 1.0
        if step == "ask":
            asked[rig.ask(now, URL if flag else "udp://other.example:1/", seconds=30.0)] = now
        elif step == "time":
            now += 40.0 if flag else 7.0
        elif step in ("resolve", "nowhere") and look_ups:
            hosts = (THERE.host, "192.0.9.2")[: 1 + flag] if step == "resolve" else ()
            rig.trackers.resolved(look_ups.pop(0).ticket, hosts, now)
        elif step in ("answer", "refuse") and open_requests:
            address, request = open_requests.pop(0 if flag else -1)
            reply: Reply = Connected(request.transaction, 7)
            if step == "refuse":
                reply = Refused(request.transaction, "no")
            elif isinstance(request, Announce):
                reply = Announced(request.transaction, REPLY)
            rig.trackers.datagram(encode_reply(reply), address, now)
        elif step == "lose" and open_requests:
            open_requests.pop()
        elif step == "stuck":
            rig.trackers.unreachable(THERE, "no route", now)
        collect()
        due = rig.trackers.next_deadline()
        if due is not None and due <= now:
            rig.trackers.advance(now)
            collect()
            later = rig.trackers.next_deadline()
            assert later is None or later > now
        assert all(now < at + 30.0 for ticket, at in asked.items() if ticket not in heard)
    for wish in look_ups:
        rig.trackers.resolved(wish.ticket, (), now)
    while (due := rig.trackers.next_deadline()) is not None:
        rig.trackers.advance(due)
        collect()
    collect()
    assert sorted(heard) == sorted(asked)
    assert rig.trackers.lines == {}


def test_ipv4_and_ipv6_are_two_conversations() -> None:
    rig = Rig()
    rig.ask()
    rig.trackers.ask(replace(UdpAsk(9, URL, REQUEST, ipv6=False, timeout_seconds=60.0), ipv6=True), 0.0)
    four, six = rig.look_ups()
    assert (four.ipv6, six.ipv6) == (False, True)
    rig.trackers.resolved(six.ticket, ("2600::1",), 0.0)
    [sent] = rig.trackers.take_effects()
    assert isinstance(sent, SendDatagram)
    assert sent.address == Address("2600::1", 6969)


def test_a_tracker_that_the_filter_blocks_is_not_asked_but_for_who_is_exempt() -> None:
    rig = Rig()
    rig.filter.ranges = IpRanges.of([THERE.host])
    rig.ask()
    rig.last += 1
    rig.trackers.ask(UdpAsk(2, URL, REQUEST, ipv6=False, timeout_seconds=60.0, filtered=False), 0.0)
    rig.resolve()
    assert [type(request) for request in rig.sent()] == [Connect]  # for the second one
    [(ticket, error)] = rig.trackers.take_answers()
    assert (ticket, str(error)) == (1, f"the IP filter blocks its address, {THERE.host}")
    assert rig.filter.counts == {Blocked.TRACKER: 1}


def test_of_several_addresses_one_that_the_filter_lets_pass_is_asked() -> None:
    rig = Rig()
    rig.filter.ranges = IpRanges.of(["192.0.9.7"])
    rig.ask()
    rig.resolve("192.0.9.7", THERE.host)
    [connect] = [effect for effect in rig.trackers.take_effects() if isinstance(effect, SendDatagram)]
    assert connect.address == THERE


def test_when_the_filter_is_loaded_questions_to_whom_it_blocks_end() -> None:
    rig = Rig()
    rig.ask()
    rig.resolve()
    assert len(rig.sent()) == 1
    rig.filter.ranges = IpRanges.of([THERE.host])
    rig.trackers.filter_changed(1.0)
    [(_, error)] = rig.trackers.take_answers()
    assert isinstance(error, TrackerError)
    rig.trackers.advance(20.0)
    assert rig.sent() == []
    assert rig.trackers.lines == {}
