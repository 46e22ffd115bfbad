"""Where the peers of a torrent come from, without a torrent: which sources count, and what a tracker's word brings."""

from dataclasses import replace
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.base.transport import Transport
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.announcer import Announcer, Tally
from bittern.engine.sources.finding import Finding
from bittern.engine.sources.tracker import TrackerSource
from bittern.engine.swarm.names import Names
from bittern.engine.swarm.peerbook import Source
from bittern.wire import holepunch, ut_pex
from bittern.wire.announce import AnnounceReply
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.holepunch import Holepunch, HolepunchKind
from bittern.wire.messages import Extended
from bittern.wire.stream import LinkLost, LossKind
from bittern.wire.ut_pex import PexFlag, PexMessage
from tests.engine.content import info_of
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH

PUBLIC, _ = info_of(1 << 16, 1 << 16)
PRIVATE = replace(PUBLIC, private=True)
HEARSAY = (Source.DHT, Source.PEX, Source.LSD, Source.RESUME)


class Case:
    """A hall, and a tracker that is asked."""

    def __init__(self, *, use_pex: bool = True, utp: bool = False) -> None:
        self.hall = Hall(EngineSettings(use_pex=use_pex, utp=utp))
        self.hall.shared.ourselves.move(0, 7)
        self.names = Names(HASH)
        trackers = TrackerSource((("http://10.9.9.9/announce",),), Random(1), 0.0)
        self.announcer = Announcer(1, HASH, trackers, self.hall.shared)
        self.finding = Finding(
            self.hall.company,
            self.hall.members,
            self.hall.book,
            self.names,
            self.announcer,
            self.hall.shared,
        )

    def asks(self) -> int:
        """The ticket of an announce."""
        self.announcer.announce(Tally(0, 0, 1), 0.0)
        return self.hall.shared.last_ticket

    def hears(self, said: AnnounceReply | TrackerError, *, welcome: bool = True) -> None:
        self.finding.tracker_said(self.asks(), said, 1.0, welcome=welcome)


def test_who_is_named_is_remembered_once_and_everybody_may_have_something_to_settle() -> None:
    case = Case()
    ann = case.hall.comes("10.0.0.1")
    named = [Address("10.0.0.2", 7), Address("10.0.0.3", 7)]
    assert case.finding.add(named, Source.DHT, 0.0) == 2
    assert case.finding.add(named, Source.TRACKER, 0.0) == 0
    assert case.hall.company.touched == {1: ann}
    assert case.hall.book.counts == {Source.DHT: 2}


@pytest.mark.parametrize("source", HEARSAY)
def test_a_private_torrent_forgets_what_others_than_its_trackers_named(source: Source) -> None:
    case = Case()
    case.finding.add([Address("10.0.0.2", 7)], source, 0.0)
    case.finding.add([Address("10.0.0.3", 7)], Source.TRACKER, 0.0)
    assert list(case.hall.members.dials(0.0))
    case.finding.limit_to(PRIVATE, 1.0)
    assert case.hall.book.counts == {Source.TRACKER: 1}
    assert case.hall.members.dialing == 0
    assert case.finding.add([Address("10.0.0.4", 7)], source, 2.0) == 0


def test_who_was_named_by_others_goes_when_a_torrent_turns_out_private() -> None:
    case = Case()
    ann, bob = case.hall.comes("10.0.0.1"), case.hall.comes("10.0.0.2")
    case.finding.add([ann.address], Source.PEX, 0.0)
    case.finding.add([bob.address], Source.TRACKER, 0.0)
    case.finding.limit_to(PRIVATE, 1.0)
    assert list(case.hall.company.peers.values()) == [bob]


@pytest.mark.parametrize(("use_pex", "told"), [(True, True), (False, False)])
def test_peers_are_told_when_the_exchange_ends_and_only_then(use_pex: bool, told: bool) -> None:  # noqa: FBT001 - cases
    case = Case(use_pex=use_pex)
    assert case.finding.limit_to(PUBLIC, 0.0) is False
    assert case.finding.pex.on is use_pex
    assert case.finding.limit_to(PRIVATE, 0.0) is told
    assert case.finding.pex.on is False
    assert case.finding.limit_to(PRIVATE, 0.0) is False


def test_a_trackers_peers_are_sought_unless_nobody_is_welcome() -> None:
    for welcome in (True, False):
        case = Case()
        case.hears(AnnounceReply(interval=900, peers=(Address("10.0.0.2", 7),)), welcome=welcome)
        assert case.hall.book.counts == ({Source.TRACKER: 1} if welcome else {})


def test_who_is_named_in_the_swarm_of_version_2_is_called_by_that_name() -> None:
    """Of a hybrid: some there know nothing else (BEP 52)."""
    case = Case()
    second = InfoHashV1(b"\x02" * 20)
    case.names.v1, case.names.v2 = HASH, second
    case.announcer.other_hash = second
    ticket = case.asks()  # the second question, about the other hash
    peer = Address("10.0.0.2", 7)
    case.finding.tracker_said(ticket, AnnounceReply(interval=900, peers=(peer,)), 1.0, welcome=True)
    assert case.names.dialed(peer) == second


def test_a_tracker_that_fails_brings_nobody_and_a_late_answer_neither() -> None:
    case = Case()
    case.hears(TrackerError("no"))
    case.finding.tracker_said(77, AnnounceReply(interval=900, peers=(Address("10.0.0.2", 7),)), 1.0, welcome=True)
    assert len(case.hall.book) == 0


def test_nodes_are_spoken_of_until_the_torrent_turns_out_to_be_private() -> None:
    case = Case()
    case.finding.limit_to(PUBLIC, 0.0)
    assert case.finding.nodes.bits
    case.finding.limit_to(PRIVATE, 0.0)
    assert not case.finding.nodes.bits


def test_who_can_not_be_reached_is_met_and_at_once() -> None:
    case = Case(utp=True)
    ann, bob = case.hall.comes("10.0.0.1"), Address("10.0.0.2", 6881)
    ann.says = ExtendedHandshake(extensions={holepunch.NAME: 9})
    case.finding.pex.heard(ann, PexMessage({bob: PexFlag.HOLEPUNCH | PexFlag.REACHABLE}).encode(), 0.0, complete=False)
    for dial in [*case.finding.dials(0.0), *case.finding.dials(1.0)]:
        assert said(ann) == []
        case.finding.connect_failed(dial.ticket, LinkLost(LossKind.TIMED_OUT), 2.0)
    assert said(ann) == [Extended(9, Holepunch(HolepunchKind.RENDEZVOUS, bob).encode())]
    case.finding.punching.heard(ann, Holepunch(HolepunchKind.CONNECT, bob).encode(), 3.0)
    assert [(dial.address, dial.transport) for dial in case.finding.dials(3.0)] == [(bob, Transport.UTP)]


@pytest.mark.parametrize(
    ("use_pex", "utp", "private"), [(False, True, False), (True, False, False), (True, True, True)]
)
def test_nobody_is_met_without_utp_or_the_exchange_or_in_a_private_torrent(
    use_pex: bool,  # noqa: FBT001 - a case
    utp: bool,  # noqa: FBT001 - a case
    private: bool,  # noqa: FBT001 - a case
) -> None:
    case = Case(use_pex=use_pex, utp=utp)
    case.finding.limit_to(PRIVATE if private else PUBLIC, 0.0)
    assert not case.finding.punching.on


def test_who_is_gone_is_forgotten_by_all_that_peers_tell_of() -> None:
    case = Case(utp=True)
    ann = case.hall.comes("10.0.0.1")
    ann.says = ExtendedHandshake(extensions={holepunch.NAME: 9, ut_pex.NAME: 8})
    case.finding.pex.introduced(ann, 0.0)
    case.hall.company.drop(ann, "it was enough", 0.0)
    case.finding.left(ann, complete=False)
    case.hall.comes("10.0.0.2")
    case.finding.pex.tell(100.0)
    assert said(ann) == []
