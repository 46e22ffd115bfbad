"""What happens to a torrent, for whoever listens: typed values, and streams of them that never grow without bound."""

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from weakref import WeakSet

from bittern.base.address import Address
from bittern.base.errors import BitternError
from bittern.base.ids import PeerId
from bittern.base.transport import Transport

from .status import State


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The torrent is in another state.

    Attributes:
        state: the new one.
    """

    state: State


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """What the torrent is made of is known, from peers (BEP 9) or a file that the link names.

    Attributes:
        name: of the file or root folder.
        total_bytes: of all its files, pads left out.
    """

    name: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """Files that were there are being checked.

    Attributes:
        done_bytes: read so far.
        total_bytes: to read in all.
    """

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """It is known what of the torrent is on the disk.

    Attributes:
        done_bytes: wanted bytes that are there and good.
        total_bytes: wanted bytes in all.
    """

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class MoveProgress:
    """Files are moving.

    Attributes:
        done_bytes: moved so far.
        total_bytes: to move in all.
    """

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The files moved or were renamed.

    Attributes:
        path: the file, or the root folder, now.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class PieceStored:
    """A piece is good and in the files.

    Attributes:
        piece: its number, from 0.
    """

    piece: int


@dataclass(frozen=True, slots=True)
class PieceFailed:
    """A piece came and failed its hash; it will be fetched again.

    Attributes:
        piece: its number, from 0.
    """

    piece: int


@dataclass(frozen=True, slots=True)
class Completed:
    """Every byte that is wanted is in the files."""


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer finished its handshake.

    Attributes:
        address: where it is.
        peer_id: what it calls itself (BEP 20).
        transport: what carries the connection.
        encrypted: whether every byte of it is encrypted.
    """

    address: Address
    peer_id: PeerId
    transport: Transport = Transport.TCP
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class PeerDropped:
    """A peer, or a connection that never became one, is gone.

    Attributes:
        address: where it is.
        reason: in words, for people.
        offence: whether it broke the protocol.
    """

    address: Address
    reason: str
    offence: bool


@dataclass(frozen=True, slots=True)
class AddressesBlocked:
    """The IP filter, or the list of clients, kept somebody out.

    Attributes:
        count: addresses kept out, and connections that ended, since the last of these events.
    """

    count: int


@dataclass(frozen=True, slots=True)
class TrackerAnswered:
    """A tracker answered.

    Attributes:
        url: its own, as in the torrent.
        peers: how many it named.
        warning: its words for people, of unknown safety; None without any.
    """

    url: str
    peers: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class TrackerFailed:
    """A tracker failed or refused.

    Attributes:
        url: its own, as in the torrent.
        reason: in words, of unknown safety.
        retry_seconds: after which it is asked again.
    """

    url: str
    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class WebSeedFailed:
    """A web seed failed or refused.

    Attributes:
        url: as it was named.
        reason: in words, of unknown safety.
        retry_seconds: after which it is asked again; 0 for other files, infinity for never.
    """

    url: str
    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class TorrentFileFailed:
    """The .torrent file is not where the link says (`xs`).

    Attributes:
        url: as the link has it.
        reason: in words, of unknown safety.
        retry_seconds: after which it is asked for again; infinity for never.
    """

    url: str
    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The torrent stopped.

    Attributes:
        error: why.
    """

    error: BitternError


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """Progress could not be saved; it is tried again. The next start checks the files instead.

    Attributes:
        reason: in words.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class EventsLost:
    """The reader was too slow, and events before the next one were dropped.

    Attributes:
        count: how many.
    """

    count: int


Event = (
    StateChanged
    | MetadataReceived
    | CheckProgress
    | Checked
    | MoveProgress
    | Moved
    | PieceStored
    | PieceFailed
    | Completed
    | PeerJoined
    | PeerDropped
    | AddressesBlocked
    | TrackerAnswered
    | TrackerFailed
    | WebSeedFailed
    | TorrentFileFailed
    | Failed
    | SaveFailed
    | EventsLost
)


class EventStream:
    """Events from the moment it was made; an async iterator that ends with the torrent.

    Cancelling a reader loses nothing: an event is taken only when it is handed over.

    Args:
        most: events kept for the reader.
        kinds: classes of events to keep; none for all.
    """

    def __init__(self, most: int, kinds: tuple[type[Event], ...] = ()) -> None:
        self._kinds = kinds
        self._events: deque[Event] = deque()
        self._most = most
        self._lost = 0
        self._ended = False
        self._news = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                return EventsLost(lost)
            if self._events:
                return self._events.popleft()
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def take(self) -> list[Event]:
        """The events that wait, without waiting for more."""
        events: list[Event] = [EventsLost(self._lost)] if self._lost else []
        events.extend(self._events)
        self._lost = 0
        self._events.clear()
        return events

    def push(self, event: Event) -> None:
        """Give `event` to the reader; the oldest goes when there is no room."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        if len(self._events) >= self._most:
            self._events.popleft()
            self._lost += 1
        self._events.append(event)
        self._news.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._news.set()


class Publisher:
    """Tells readers of one torrent what happens, and wakes those who wait for a milestone.

    Args:
        most: events kept for one slow reader.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._streams: WeakSet[EventStream] = WeakSet()
        self._changed = asyncio.Event()
        self._waiting = 0
        self.ended = False
        """Whether the torrent is gone."""

    def stream(self, kinds: tuple[type[Event], ...] = ()) -> EventStream:
        """A new reader of events of some kinds; forgotten when nobody holds it any more."""
        stream = EventStream(self._most, kinds)
        if self.ended:
            stream.end()
        self._streams.add(stream)
        return stream

    def publish(self, event: Event) -> None:
        """`event` happened."""
        for stream in self._streams:
            stream.push(event)

    def wake(self) -> None:
        """Something changed that somebody may wait for."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self) -> None:
        """Wait for the next `wake`."""
        self._waiting += 1
        try:
            await self._changed.wait()
        finally:
            self._waiting -= 1

    @property
    def heard(self) -> bool:
        """Whether anybody listens or waits."""
        return bool(self._waiting or len(self._streams))

    def end(self) -> None:
        """Nothing more will happen."""
        self.ended = True
        for stream in self._streams:
            stream.end()
        self.wake()
