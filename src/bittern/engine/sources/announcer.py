"""Turns what is due at the trackers into fetches, and their answers into addresses."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.engine.effects import HttpGet
from bittern.engine.events import TrackerAnswered, TrackerFailed
from bittern.engine.swarm.reach import believed
from bittern.engine.world import Shared
from bittern.wire.announce import AnnounceReply, AnnounceRequest, Event
from bittern.wire.tracker_http import announce_url, parse_announce_reply

from .tracker import TrackerSource

TIMEOUT_SECONDS = 30.0
GOODBYE_SECONDS = 5.0
MOST_BYTES = 2 << 20


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
        self._beside: dict[int, None] = {}  # tickets of announces of the other hash
        self._carried = Tally(0, 0, 0)
        self._under_way = 0  # ticket of the announce whose answer matters; that of a goodbye does not

    def carry(self, tally: Tally) -> None:
        """What was done up to here counts, though it is not in later tallies: the torrent goes to sleep."""
        carried = self._carried
        self._carried = Tally(carried.uploaded + tally.uploaded, carried.downloaded + tally.downloaded, 0)

    def announce(self, tally: Tally, now: float) -> None:
        """Make the announces that are due."""
        shared = self._shared
        while (wish := self.trackers.next(now)) is not None:
            request = AnnounceRequest(
                info_hash=self._wire_hash,
                peer_id=shared.peer_id,
                port=shared.settings.listen_port,
                uploaded=self._carried.uploaded + tally.uploaded,
                downloaded=self._carried.downloaded + tally.downloaded,
                left=tally.left,
                event=wish.event or (Event.PAUSED if tally.partial else None),
                numwant=0 if wish.goodbye else None,
                tracker_id=wish.tracker_id,
            )
            try:
                url = announce_url(wish.url, request)
            except TrackerError as error:
                self._fail(wish.url, error, now)
                continue
            seconds = GOODBYE_SECONDS if wish.goodbye else TIMEOUT_SECONDS
            ticket = shared.next_ticket()
            if not wish.goodbye:
                self._under_way = ticket
            shared.effects.append(HttpGet(ticket, self._torrent, url, wish.url, MOST_BYTES, seconds))
            if self.other_hash is not None:
                beside = announce_url(wish.url, replace(request, info_hash=self.other_hash, tracker_id=None))
                ticket = shared.next_ticket()
                self._beside[ticket] = None
                shared.effects.append(HttpGet(ticket, self._torrent, beside, wish.url, MOST_BYTES, seconds))

    def hash_of(self, wish: HttpGet) -> InfoHashV1 | None:
        """Which info hash an announce was about."""
        return self.other_hash if wish.ticket in self._beside else self._wire_hash

    def answered(self, wish: HttpGet, body: bytes, now: float) -> AnnounceReply | None:
        """A tracker answered; None when it refused or made no sense, or the answer does not matter any more."""
        beside = wish.ticket in self._beside
        self._beside.pop(wish.ticket, None)
        if not beside and wish.ticket != self._under_way:
            return None
        try:
            reply = parse_announce_reply(body)
        except TrackerError as error:
            if not beside:
                self._fail(wish.tracker, error, now)
            return None
        if not beside:
            self.trackers.answered(reply, now)
            self._shared.events.append(TrackerAnswered(self._torrent, wish.tracker, len(reply.peers), reply.warning))
        return replace(reply, peers=believed(reply.peers, urlsplit(wish.tracker).hostname))

    def failed(self, wish: HttpGet, error: TrackerError, now: float) -> None:
        """A tracker did not answer, or refused."""
        self._beside.pop(wish.ticket, None)
        if wish.ticket == self._under_way:
            self._fail(wish.tracker, error, now)

    def _fail(self, url: str, error: TrackerError, now: float) -> None:
        wait = self.trackers.failed(error, now)
        self._shared.events.append(TrackerFailed(self._torrent, url, str(error), wait))
