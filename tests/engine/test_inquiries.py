"""Questions to trackers under way: each answer goes to who asked, once."""

from dataclasses import replace
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.tracing import silent
from bittern.engine.effects import HttpGet, Resolve, SendDatagram
from bittern.engine.inquiries import Inquiries
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.udp_trackers import FIRST_RESEND_SECONDS, UdpAsk
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.announce import AnnounceReply, AnnounceRequest

FETCH = HttpGet(7, 3, "http://t/a?x", "http://t/a", 1 << 20, 30.0, None, local=False)
GOOD = b"d8:intervali900e5:peers0:e"
TRACKER = Address("10.0.0.1", 6969)


class Case:
    """What is told to torrents."""

    def __init__(self) -> None:
        chance = World(Random, 0).chance("x")
        ours = PeerId(b"-BZ0000-ourselvesxxx")
        self.shared = Shared(EngineSettings(), ours, chance, lambda *_: False, silent)
        self.inquiries = Inquiries(self.shared, self.tell)
        self.told: list[tuple[int, int, AnnounceReply | TrackerError]] = []

    def tell(self, torrent: int, ticket: int, said: AnnounceReply | TrackerError, _now: float) -> None:
        self.told.append((torrent, ticket, said))

    def errors(self) -> list[tuple[int, int, str]]:
        return [(torrent, ticket, str(said)) for torrent, ticket, said in self.told]

    def asks(self, torrent: int) -> int:
        """A torrent asks a tracker over UDP; its ticket."""
        ticket = self.shared.next_ticket()
        request = AnnounceRequest(InfoHashV1(bytes(20)), self.shared.peer_id, 1, 0, 0, 1)
        ask = UdpAsk(ticket, "udp://tracker:6969", request, ipv6=False, timeout_seconds=60.0, local=True)
        self.shared.udp_trackers.ask(ask, 0.0)
        self.shared.udp_asked[ticket] = torrent
        self.shared.turnstile.begin(ticket)
        return ticket

    def looked_up(self) -> int:
        [wish] = self.shared.udp_trackers.take_effects()
        assert isinstance(wish, Resolve)
        return wish.ticket


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"<html>no</html>", "HTTP status 404"),
        (404, b"d14:failure reason4:nonee", "none"),
        (200, b"<html>a page</html>", None),
        (500, b"", "HTTP status 500"),
    ],
)
def test_a_refusal_is_told_in_the_trackers_words_where_it_has_some(status: int, body: bytes, words: str | None) -> None:
    case = Case()
    case.inquiries.asked(FETCH)
    case.inquiries.http_done(7, status, body, 1.0)
    [(torrent, ticket, said)] = case.errors()
    assert (torrent, ticket) == (3, 7)
    assert words is None or words in said


def test_an_answer_goes_to_who_asked_once_and_makes_room_for_others() -> None:
    case = Case()
    case.shared.turnstile.begin(7)
    room = case.shared.turnstile.room
    case.inquiries.asked(FETCH)
    case.inquiries.asked(replace(FETCH, ticket=8, torrent=4))
    assert len(case.inquiries) == 2
    case.inquiries.http_done(7, 200, GOOD, 1.0)
    case.inquiries.http_done(7, 200, GOOD, 1.0)
    case.inquiries.http_failed(8, "no route", 1.0)
    case.inquiries.http_failed(99, "never asked", 1.0)
    assert [(torrent, ticket) for torrent, ticket, _ in case.told] == [(3, 7), (4, 8)]
    assert isinstance(case.told[0][2], AnnounceReply)
    assert (len(case.inquiries), case.shared.turnstile.room) == (0, room + 1)


def test_over_udp_the_look_up_is_for_all_who_asked() -> None:
    case = Case()
    tickets = [case.asks(torrent) for torrent in (3, 4)]
    assert len(case.inquiries) == 2
    case.inquiries.resolved(case.looked_up(), (), 1.0)
    assert [(torrent, ticket) for torrent, ticket, _ in case.told] == [(3, tickets[0]), (4, tickets[1])]
    assert len(case.inquiries) == 0


def test_what_can_not_be_sent_is_told_at_once() -> None:
    case = Case()
    ticket = case.asks(3)
    case.inquiries.resolved(case.looked_up(), (TRACKER.host,), 1.0)
    case.inquiries.unreachable(TRACKER, "no route to host", 1.0)
    assert case.errors() == [(3, ticket, "no route to host")]


def test_a_datagram_that_answers_nothing_is_dropped() -> None:
    case = Case()
    case.asks(3)
    case.inquiries.resolved(case.looked_up(), (TRACKER.host,), 1.0)
    [connect] = case.shared.udp_trackers.take_effects()
    assert isinstance(connect, SendDatagram)
    refusal = (3).to_bytes(4) + connect.data[12:16] + b"go away"
    case.inquiries.datagram(b"d1:q4:pinge", TRACKER, 1.0)
    case.inquiries.datagram(refusal, Address("10.0.0.2", 6969), 1.0)
    assert case.told == []
    case.inquiries.datagram(refusal, TRACKER, 1.0)
    assert [said for _, _, said in case.errors()] == ["go away"]


def test_time_repeats_what_was_not_answered_and_lets_in_who_waits() -> None:
    case = Case()
    assert case.inquiries.next_deadline() is None
    case.asks(3)
    case.inquiries.resolved(case.looked_up(), (TRACKER.host,), 0.0)
    [sent] = case.shared.udp_trackers.take_effects()
    assert case.inquiries.next_deadline() == FIRST_RESEND_SECONDS
    case.shared.turnstile.wait(9, 1.0)
    due = case.inquiries.next_deadline()
    assert due is not None
    assert due < FIRST_RESEND_SECONDS
    case.inquiries.advance(due)
    assert case.shared.turnstile.take_woken() == {9: None}
    case.inquiries.advance(FIRST_RESEND_SECONDS)
    assert case.shared.udp_trackers.take_effects() == [sent]
    case.inquiries.advance(60.0)
    assert [torrent for torrent, _, _ in case.told] == [3]
