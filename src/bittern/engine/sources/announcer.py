"""Turns what is due at the trackers into questions, and their answers into addresses."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.engine.effects import HttpGet
from bittern.engine.events import TrackerAnswered, TrackerFailed
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.reach import believed
from bittern.engine.world import Shared
from bittern.wire.announce import AnnounceReply, AnnounceRequest, Event
from bittern.wire.tracker_http import MAX_REPLY, announce_url, parse_announce_reply

from .guard import may_be_local
from .tracker import Announcement, TrackerSource, TrackerState
from .udp_trackers import FIRST_RESEND_SECONDS, UdpAsk

TIMEOUT_SECONDS = 30.0
UDP_TIMEOUT_SECONDS = 60.0
"""Time for two repetitions (BEP 15): after 15 s, and 30 s later."""
GOODBYE_SECONDS = 5.0
GOODBYE_RESEND_SECONDS = 2.0
"""A goodbye by datagram that has no answer is said again after so long, once in its time."""
NOBODYS_PORT = 1
"""What is told where nobody can connect to us: there are trackers, ours too, that refuse to hear of port 0."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a tracker is told of our progress, in bytes.

    Attributes:
        uploaded: sent.
        downloaded: received.
        left: not stored, wanted or not.
        partial: whether all that is wanted is stored, but not everything: a partial seed (BEP 21).
    """

    uploaded: int
    downloaded: int
    left: int
    partial: bool = False


@dataclass(slots=True, eq=False)
class _Round:
    """One announce to one tracker: a question by each family of addresses (BEP 7), for each hash of a hybrid."""

    tracker: TrackerState
    goodbye: bool
    steering: dict[int, bool | None] = field(default_factory=dict)  # those that matter to the tracker, and their family
    answered: bool = False
    errors: list[TrackerError] = field(default_factory=list)


class Announcer:
    """The announces of one torrent.

    Args:
        torrent: its number.
        wire_hash: what trackers know it by.
        trackers: when to ask whom.
        shared: surroundings of the torrent.
    """

    def __init__(self, torrent: int, wire_hash: InfoHashV1, trackers: TrackerSource, shared: Shared) -> None:
        self._torrent = torrent
        self._wire_hash = wire_hash
        self.trackers = trackers
        self._shared = shared
        self.other_hash: InfoHashV1 | None = None
        """The other one of a hybrid torrent, that of its other swarm: announced beside, on the same occasions."""
        self._asked: dict[int, tuple[_Round, InfoHashV1]] = {}  # by ticket
        self._carried = Tally(0, 0, 0)
        self._key = int.from_bytes(shared.chance.entropy(4))  # the same to all, by all families (BEP 7)

    def carry(self, tally: Tally) -> None:
        """What was done up to here counts, though it is not in later tallies: the torrent goes to sleep."""
        carried = self._carried
        self._carried = Tally(carried.uploaded + tally.uploaded, carried.downloaded + tally.downloaded, 0)

    def announce(self, tally: Tally, now: float) -> None:
        """Make the announces that are due."""
        while (wish := self.trackers.next(now)) is not None:
            self._announce_to(wish, tally, now)

    def announce_in_turn(self, tally: Tally, now: float) -> None:
        """Make the announces that are due, as far as the turnstile lets us."""
        turnstile = self._shared.turnstile
        while (due := self.trackers.next_due()) is not None and due <= now:
            if not self.trackers.leaving and not turnstile.open(now):
                turnstile.wait(self._torrent, now)
                return
            wish = self.trackers.next(now)
            if wish is None:
                break
            self._announce_to(wish, tally, now)
        turnstile.forget(self._torrent)

    def next_due(self) -> float | None:
        """When `announce_in_turn` has something to do; None while it waits at the turnstile, or has nothing to say."""
        if self._torrent in self._shared.turnstile.waiting and not self.trackers.leaving:
            return None
        return self.trackers.next_due()

    def hash_of(self, ticket: int) -> InfoHashV1 | None:
        """Which info hash a question was about; None when it is not under way."""
        asked = self._asked.get(ticket)
        return asked[1] if asked is not None else None

    def heard(self, ticket: int, said: AnnounceReply | TrackerError, now: float) -> AnnounceReply | None:
        """A tracker answered, refused, or did not answer; None where that gives us nothing."""
        asked = self._asked.pop(ticket, None)
        if asked is None:
            return None
        current, _ = asked
        if current.goodbye:
            return None
        steers = ticket in current.steering
        ipv6 = current.steering.pop(ticket, None)
        if isinstance(said, TrackerError):
            current.errors.append(said)
            if steers and not current.steering and not current.answered:
                self._fail(current.tracker, _plainest(current.errors), now)
            return None
        url = current.tracker.url
        if steers:
            if not current.answered:
                current.answered = True
                self.trackers.answered(current.tracker, said, now)
            current.tracker.knows_us_by[ipv6] = None
            self._shared.events.append(TrackerAnswered(self._torrent, url, len(said.peers), said.warning))
        host = urlsplit(url).hostname
        if said.external_ip is not None and host is not None:
            self._shared.ourselves.told(said.external_ip, host)
        return replace(said, peers=believed(said.peers, host))

    def _announce_to(self, wish: Announcement, tally: Tally, now: float) -> None:
        """Ask one tracker, about all our hashes, by all families."""
        if wish.goodbye and self._unheard(wish.tracker, now):
            return
        self._abandon(wish.tracker)
        request = AnnounceRequest(
            info_hash=self._wire_hash,
            peer_id=self._shared.peer_id,
            port=self._shared.ourselves.port or NOBODYS_PORT,
            uploaded=self._carried.uploaded + tally.uploaded,
            downloaded=self._carried.downloaded + tally.downloaded,
            left=tally.left,
            event=wish.event or (Event.PAUSED if tally.partial else None),
            numwant=0 if wish.goodbye else None,
            key=self._key,
            tracker_id=wish.tracker.tracker_id,
            encryption=self._shared.settings.encryption_in,
        )
        current = _Round(wish.tracker, wish.goodbye)
        try:
            families = _families(wish.tracker.url, self._shared.settings)
            known = [ipv6 for ipv6 in families if ipv6 in wish.tracker.knows_us_by]
            for ipv6 in known if wish.goodbye and known else families:
                self._ask(current, request, now, ipv6=ipv6)
                if self.other_hash is not None:
                    other = replace(request, info_hash=self.other_hash, tracker_id=None)
                    self._ask(current, other, now, ipv6=ipv6, steers=False)
        except TrackerError as error:
            if not current.steering:
                self._fail(wish.tracker, error, now)

    def _ask(
        self, current: _Round, request: AnnounceRequest, now: float, *, ipv6: bool | None, steers: bool = True
    ) -> None:
        shared, tracker = self._shared, current.tracker
        local, filtered = tracker.trusted or may_be_local(tracker.url), self._wire_hash not in shared.ip_filter.exempt
        ticket = shared.next_ticket()
        if tracker.url[:4].lower() == "udp:":
            seconds, again = UDP_TIMEOUT_SECONDS, FIRST_RESEND_SECONDS
            if current.goodbye:
                seconds, again = GOODBYE_SECONDS, GOODBYE_RESEND_SECONDS
            ask = UdpAsk(ticket, tracker.url, request, bool(ipv6), seconds, local, again, filtered)
            shared.udp_trackers.ask(ask, now)
            shared.udp_asked[ticket] = self._torrent
        else:
            seconds = GOODBYE_SECONDS if current.goodbye else TIMEOUT_SECONDS
            url = announce_url(tracker.url, request)
            # A goodbye heard before what was said last, or after the next hello, would be what a tracker keeps.
            after = tuple([t for t, (old, _) in self._asked.items() if old.tracker is tracker and old is not current])
            shared.effects.append(
                HttpGet(ticket, self._torrent, url, tracker.url, MAX_REPLY, seconds, ipv6, local, filtered, after)
            )
        shared.turnstile.begin(ticket)
        self._asked[ticket] = current, request.info_hash
        if steers:
            current.steering[ticket] = ipv6

    def _unheard(self, tracker: TrackerState, now: float) -> bool:
        """Whether a tracker has heard nothing of us, and will not: one by UDP that has not answered at all."""
        tickets = [ticket for ticket, (old, _) in self._asked.items() if old.tracker is tracker]
        shared = self._shared
        withdrawn = [ticket for ticket in tickets if shared.udp_trackers.withdraw(ticket, now)]
        for ticket in withdrawn:
            del self._asked[ticket], shared.udp_asked[ticket]
            shared.turnstile.end(ticket, now)
        return bool(tickets) and tickets == withdrawn and not tracker.knows_us_by

    def _abandon(self, tracker: TrackerState) -> None:
        """What this tracker was asked before does not matter any more."""
        for ticket in [ticket for ticket, (old, _) in self._asked.items() if old.tracker is tracker]:
            self._asked[ticket][0].steering.clear()

    def _fail(self, tracker: TrackerState, error: TrackerError, now: float) -> None:
        wait = self.trackers.failed(tracker, error, now)
        self._shared.events.append(TrackerFailed(self._torrent, tracker.url, str(error), wait))


def understood(body: bytes) -> AnnounceReply | TrackerError:
    """What an HTTP tracker says in the body of its answer."""
    try:
        return parse_announce_reply(body)
    except TrackerError as error:
        return error


def _families(url: str, settings: EngineSettings) -> tuple[bool | None, ...]:
    """By which families to reach a tracker: IPv6 or not; None where its URL is none.

    A numeric host has but one; a name may have addresses of both, and is asked by each that peers reach us by (BEP 7).
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return (None,)
    try:
        return (ip_address(host).version == 6,)
    except ValueError:
        enabled = ((False, settings.ipv4), (True, settings.ipv6))
        return tuple(ipv6 for ipv6, reachable in enabled if reachable) or (None,)


def _plainest(errors: list[TrackerError]) -> TrackerError:
    """The error that says most: when to come back, or else the first."""
    return next((error for error in errors if error.retry_in is not None), errors[0])
