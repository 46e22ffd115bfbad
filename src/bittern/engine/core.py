"""All torrents of a process: routes connections by their handshake, and answers by their ticket."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from math import inf

from bittern.base.address import Address
from bittern.base.deadlines import Deadlines
from bittern.base.errors import LocalProtocolError, RemoteProtocolError, TrackerError
from bittern.base.ids import InfoHashV1, InfoHashV2, PeerId
from bittern.base.tracing import Tracer, silent
from bittern.wire.announce import AnnounceReply
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import Link, LinkLost, Stream

from .dormitory import Dormitory, Sleeper
from .effects import (
    AnnounceLocally,
    Completion,
    Connect,
    ConnectWeb,
    DiskFailed,
    Effect,
    ExtentStored,
    HttpGet,
    LeavesHashed,
    RunRead,
)
from .events import Event, PeerDropped
from .limits import Limits
from .ports import Chance, Disk, Receiver
from .settings import EngineSettings
from .sources.announcer import Tally, understood
from .sources.lsd import LocalSearch
from .swarm.bans import Bans
from .swarm.peerbook import Source
from .swarm.places import crowded_out
from .swarm.welcome import our_handshake
from .torrent import Torrent
from .world import Shared


class Core:
    """The engine.

    Args:
        settings: numbers that steer it.
        peer_id: who we say we are.
        chance: where randomness comes from.
        disk: its `read_now` is used; all else comes out as effects.
        tracer: is told what happens.
    """

    def __init__(
        self, settings: EngineSettings, peer_id: PeerId, chance: Chance, disk: Disk, tracer: Tracer = silent
    ) -> None:
        self._shared = Shared(
            settings=settings,
            peer_id=peer_id,
            chance=chance,
            read_now=disk.read_now,
            tracer=tracer,
        )
        self.torrents: dict[int, Torrent] = {}
        self.dormitory = Dormitory(self._shared)
        self._local = LocalSearch(settings.listen_port, sha256(peer_id).hexdigest()[:16])
        self._by_hash: dict[InfoHashV1, Torrent] = {}
        self._also_called: dict[InfoHashV1, InfoHashV1] = {}  # other hashes of torrents, to those they were added by
        self._callers: dict[int, tuple[PeerWire, Handshake]] = {}  # of strangers, who wait for a torrent to wake up
        self._last_torrent = 0
        self._strangers: dict[int, PeerWire] = {}  # whose handshake has not come
        self._deadlines = Deadlines()  # of torrents by number, of strangers by key
        self._owners: dict[int, Torrent] = {}  # outgoing ones among them, and all tickets that wait
        self._requests: dict[int, HttpGet] = {}
        self._receivers: tuple[Receiver, ...] = (self._shared.udp_trackers,)
        self._last_wire = 0

    # --- torrents

    def add(
        self, wire_hash: InfoHashV1, tiers: tuple[tuple[str, ...], ...], now: float, trusted: Collection[str] = ()
    ) -> Torrent:
        """Join a swarm: peers are sought, and the metadata if `Torrent.begin` is not called.

        A torrent that sleeps wakes up; `admit_callers` is to follow when it is ready for peers.

        Args:
            wire_hash: what handshakes carry.
            tiers: its trackers.
            now: the time.
            trusted: those of its trackers that the user named: they may be anywhere in our network.

        Raises:
            LocalProtocolError: it is there already.
        """
        if wire_hash in self._by_hash:
            raise LocalProtocolError(f"torrent {wire_hash} is in the core already")
        self._also_called.pop(wire_hash, None)  # its own name comes first
        sleeper = self.dormitory.take(wire_hash)
        number = sleeper.number if sleeper is not None else self._new_number()
        announcer = sleeper.announcer if sleeper is not None else None
        torrent = Torrent(number, wire_hash, tiers, self._shared, now, announcer, trusted)
        self.torrents[torrent.number] = torrent
        self._by_hash[wire_hash] = torrent
        self._shared.dirty[torrent.number] = None
        self.search_locally(now)
        return torrent

    def search_locally(self, now: float) -> None:
        """A torrent takes part in its swarm, for the first time or again: the local network is told soon."""
        if self._shared.settings.use_lsd:
            self._local.stir(now)

    def also_called(self, torrent: Torrent, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """The info hashes of `torrent`, as far as they are known: who calls it by any of them is let in (BEP 52)."""
        torrent.called(v1, v2)
        for name in torrent.names.all[1:]:
            if name not in self._by_hash and name not in self.dormitory:  # one that is here under its own name
                self._also_called.setdefault(name, torrent.wire_hash)

    def add_sleeping(
        self,
        wire_hash: InfoHashV1,
        tiers: tuple[tuple[str, ...], ...],
        now: float,
        also: InfoHashV1 | None = None,
        trusted: Collection[str] = (),
    ) -> Sleeper:
        """Let a complete torrent sleep from the start: see Dormitory.

        Args:
            wire_hash: what handshakes carry.
            tiers: its trackers.
            now: the time.
            also: the other hash of a hybrid: who calls it by that wakes it, too.
            trusted: those of its trackers that the user named.

        Raises:
            LocalProtocolError: it is there already.
        """
        if wire_hash in self._by_hash or wire_hash in self.dormitory:
            raise LocalProtocolError(f"torrent {wire_hash} is in the core already")
        self._also_called.pop(wire_hash, None)
        if also is not None and also not in self._by_hash and also not in self.dormitory:
            self._also_called.setdefault(also, wire_hash)
        sleeper = Sleeper(self._new_number(), wire_hash, tiers, also, trusted=trusted)
        self.dormitory.put(sleeper, now)
        return sleeper

    def lull(self, torrent: Torrent, now: float) -> None:
        """Let a complete torrent that nobody is connected to sleep, under the same number.

        Raises:
            LocalProtocolError: it is not idle.
        """
        if not torrent.idle:
            raise LocalProtocolError(f"torrent {torrent.wire_hash} has something to do")
        announcer = torrent.announcer
        announcer.carry(Tally(torrent.uploaded, torrent.downloaded, 0))
        self._forget(torrent)
        self.dormitory.put(Sleeper(torrent.number, torrent.wire_hash, (), torrent.names.other, announcer), now)

    def admit_callers(self, torrent: Torrent, now: float) -> None:
        """Let those in who came for `torrent` while it slept."""
        for wire, handshake in self._take_callers(torrent.wire_hash):
            self._welcome(torrent, wire, handshake, now)
            wire.catch_up(now)

    def refuse_callers(self, wire_hash: InfoHashV1) -> None:
        """The torrent does not wake up: close the connections that wait for it."""
        for wire, _ in self._take_callers(wire_hash):
            wire.close()

    def remove(self, torrent: Torrent, now: float) -> None:
        """Leave a swarm and forget it; goodbyes to its trackers are among the next effects."""
        torrent.pause(now)
        torrent.advance(now)
        self._forget(torrent)
        self._forget_name(torrent.wire_hash, torrent.names.other)

    def remove_sleeping(self, wire_hash: InfoHashV1, now: float) -> int | None:
        """Forget a torrent that sleeps; its number. Goodbyes to its trackers are among the next effects."""
        self.refuse_callers(wire_hash)
        sleeper = self.dormitory.take(wire_hash)
        if sleeper is not None:
            self._forget_name(wire_hash, sleeper.also)
        if sleeper is not None and sleeper.announcer is not None:
            sleeper.announcer.trackers.stop()
            sleeper.announcer.announce(Tally(0, 0, 0), now)
        return sleeper.number if sleeper is not None else None

    def close(self, now: float) -> None:
        """End all connections, those that nobody knows yet too; nothing is said to trackers any more."""
        for torrent in self.torrents.values():
            torrent.pause(now)
        for wire in self._strangers.values():
            wire.close()
        self._strangers.clear()
        self._callers.clear()

    @property
    def goodbyes(self) -> int:
        """Announces under way, and those that sleeping torrents still have to make to leave."""
        return len(self._requests) + len(self._shared.udp_asked) + self.dormitory.farewells

    @property
    def limits(self) -> Limits:
        """How fast all torrents, and groups of them, may be; `limits_changed` is to follow a change."""
        return self._shared.limits

    def limits_changed(self) -> None:
        """Let all who wait for a limit ask again."""
        for torrent in self.torrents.values():
            torrent.limits_changed()

    @property
    def bans(self) -> Bans:
        """Hosts that no torrent deals with; `bans_changed` is to follow a change."""
        return self._shared.bans

    def bans_changed(self, host: str, now: float) -> None:
        """`host` was banned, which ends its connections, or it no longer is."""
        for torrent in self.torrents.values():
            torrent.bans_changed(host, now)

    # --- connections, called by the world

    def accepted(self, link: Link, now: float) -> Stream:
        """The stream for an incoming connection; see Acceptor."""
        wire = self._new_wire(link, now, ())
        if self._shared.bans.banned(link.address.host, now):
            self._strangers.pop(wire.key).close()
            return wire
        came = [(key, other.link.address.host) for key, other in self._strangers.items() if key not in self._owners]
        oldest = crowded_out(came, link.address.host, self._shared.settings.max_strangers)
        if oldest is not None:
            self._callers.pop(oldest, None)
            self._strangers.pop(oldest).close()
        return wire

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """A `Connect` succeeded; the stream for its link."""
        torrent = self._owners.pop(ticket, None)
        wire = self._new_wire(link, now, torrent.names.all if torrent is not None else ())
        if torrent is None or not torrent.dialed(ticket, wire.key):
            self._strangers.pop(wire.key)
            wire.close()
            return wire
        self._owners[wire.key] = torrent
        name = torrent.names.dialed(link.address)
        wire.send_handshake(our_handshake(name, self._shared.peer_id, torrent.names.reserved(name)))
        return wire

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A `Connect` led to nothing."""
        torrent = self._owners.pop(ticket, None)
        if torrent is not None:
            torrent.connect_failed(ticket, reason, now)

    def web_connected(self, ticket: int, link: Link, now: float) -> Stream:
        """A `ConnectWeb` succeeded; the stream for its link."""
        torrent = self._owners.pop(ticket, None)
        stream = torrent.web.connected(ticket, link, now) if torrent is not None else None
        if stream is None:
            wire = self._new_wire(link, now, ())
            self._strangers.pop(wire.key).close()
            return wire
        return stream

    def web_failed(self, ticket: int, reason: str, now: float) -> None:
        """A `ConnectWeb` led to nothing."""
        torrent = self._owners.pop(ticket, None)
        if torrent is not None:
            torrent.web.failed(ticket, reason, now)

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """See Greeter: find the torrent, answer, and hand the connection over."""
        self._strangers.pop(wire.key, None)
        torrent = self._owners.pop(wire.key, None)
        if torrent is not None:
            torrent.joined(wire, handshake, now, incoming=False, name=handshake.info_hash)
            return
        wire_hash = self._own_name(handshake)
        torrent = self._by_hash.get(wire_hash)
        if torrent is None:
            if wire_hash in self.dormitory:
                self._strangers[wire.key] = wire  # it still has to be let in before its time is over
                self._callers[wire.key] = (wire, handshake)
                wire.pause()
                self.dormitory.call(wire_hash)
            else:
                # An unknown info hash is answered by closing: nobody learns what we have by asking.
                wire.close()
            return
        self._welcome(torrent, wire, handshake, now)

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """See Greeter."""
        self._strangers.pop(wire.key, None)
        self._callers.pop(wire.key, None)
        torrent = self._owners.pop(wire.key, None)
        offence = isinstance(reason, RemoteProtocolError)
        if torrent is not None:
            torrent.wire_ended(wire, str(reason), offence=offence, now=now)
        elif offence:
            self._shared.events.append(PeerDropped(0, wire.link.address, str(reason), offence=True))

    # --- answers, called by the world

    def disk_done(self, completions: Sequence[Completion], now: float) -> None:
        """Disk jobs ended, in this order."""
        for completion in completions:
            holder = (
                completion.job
                if isinstance(completion, (ExtentStored, RunRead, LeavesHashed, DiskFailed))
                else completion
            )
            torrent = self.torrents.get(holder.torrent)
            if torrent is not None:
                torrent.disk_done(completion, now)

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        """A fetch was answered."""
        wish = self._requests.pop(ticket, None)
        if wish is None:
            return
        # Some trackers refuse with a status and a bencoded reason; a page for people is no reason.
        sense = status == 200 or (body[:1] == b"d" and body.rstrip()[-1:] == b"e")
        said = understood(body) if sense else TrackerError(f"HTTP status {status}")
        self._tracker_said(wish.torrent, ticket, said, now)

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        """A fetch led to nothing."""
        wish = self._requests.pop(ticket, None)
        if wish is not None:
            self._tracker_said(wish.torrent, ticket, TrackerError(reason), now)

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A `Resolve` found these numeric addresses; none where it failed."""
        self._shared.udp_trackers.resolved(ticket, hosts, now)
        self._take_answers(now)

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram came; whom it is for, its first bytes say. What nobody asked for is dropped."""
        for receiver in self._receivers:
            if receiver.datagram(data, source, now):
                self._take_answers(now)
                return

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        """The system can not send to `address`."""
        self._shared.udp_trackers.unreachable(address, reason, now)
        self._take_answers(now)

    def _take_answers(self, now: float) -> None:
        """Hand the answers of UDP trackers to who asked."""
        for ticket, answer in self._shared.udp_trackers.take_answers():
            torrent = self._shared.udp_asked.pop(ticket, None)
            if torrent is not None and not isinstance(answer, tuple):
                self._tracker_said(torrent, ticket, answer, now)

    def _tracker_said(self, number: int, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        self._shared.turnstile.end(ticket, now)
        torrent = self.torrents.get(number)
        if torrent is not None:
            torrent.tracker_said(ticket, said, now)
        else:
            self.dormitory.tracker_said(number, ticket, said, now)

    def local_heard(self, datagram: bytes, host: str, now: float) -> None:
        """A datagram came from `host`, a numeric address, that was sent to all of the local network (BEP 14)."""
        heard = self._local.heard(datagram, host, now)
        if heard is None:
            return
        address, names = heard
        for name in names:
            own = self._also_called.get(name, name)
            torrent = self._by_hash.get(own)
            if torrent is not None and torrent.searches_locally:
                torrent.names.met((address,), name)
                if torrent.add_candidates((address,), Source.LSD, now):
                    self._local.answer((name,), now)
            elif own in self.dormitory:
                self.dormitory.call(own)  # whether it may deal with this one is known when it is awake

    # --- turns

    def settle(self, now: float) -> None:
        """End of a turn: let every torrent decide what this turn made possible."""
        shared = self._shared
        dirty, shared.dirty = shared.dirty, {}
        if shared.wake():
            shared.dirty.update(dirty)  # who waited for memory goes first
            dirty, shared.dirty = shared.dirty, {}
        if shared.places.woken:
            dirty.update(shared.places.take_woken())
        if shared.turnstile.woken:
            dirty.update(shared.turnstile.take_woken())
        try:
            while dirty or shared.wake():
                if not dirty:
                    dirty, shared.dirty = shared.dirty, {}
                number = next(iter(dirty))
                del dirty[number]
                if number in self.torrents:
                    torrent = self.torrents[number]
                    torrent.settle(now)
                    self._deadlines.set(number, torrent.next_deadline())
        finally:
            shared.dirty.update(dirty)  # none are left, but where one torrent broke: then it holds up no other

    @property
    def unsettled(self) -> bool:
        """Whether something came up since the last `settle`."""
        shared = self._shared
        stirred = shared.memory.stirred or shared.upload_memory.stirred
        return bool(shared.dirty or shared.effects or shared.events or shared.places.woken or stirred)

    def next_deadline(self) -> float | None:
        """When `advance` wants to be called."""
        due = self._local.next_due()
        for other in (self._deadlines.next(), self.dormitory.next_deadline()):
            if other is not None and other < due:
                due = other
        shared = self._shared
        if shared.turnstile.waiting or shared.udp_trackers.lines:  # seldom
            others = (shared.turnstile.next_deadline(), shared.udp_trackers.next_deadline())
            due = min([due, *[other for other in others if other is not None]])
        return due if due != inf else None

    def advance(self, now: float) -> None:
        """Do what time demands."""
        shared = self._shared
        if shared.turnstile.waiting:
            shared.turnstile.advance(now)
        if shared.udp_trackers.lines:
            shared.udp_trackers.advance(now)
            self._take_answers(now)
        for key in self._deadlines.take(now):
            if key < 0:
                if key in self._strangers:
                    self._strangers[key].keep_up(now)
            elif key in self.torrents:
                self.torrents[key].advance(now)
                self._shared.dirty[key] = None
        self.dormitory.advance(now)
        if now >= self._local.next_due():
            searching = [torrent for torrent in self.torrents.values() if torrent.searches_locally]
            announce = self._local.announce([name for torrent in searching for name in torrent.names.all], now)
            if announce is not None:
                self._shared.effects.append(AnnounceLocally(announce))
            if not self.torrents:
                self._local.rest()

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; each answered once where it says so."""
        effects, self._shared.effects = self._shared.effects, []
        if self._shared.udp_trackers.lines:
            effects += self._shared.udp_trackers.take_effects()
        for effect in effects:
            if isinstance(effect, HttpGet):
                self._requests[effect.ticket] = effect
            elif isinstance(effect, (Connect, ConnectWeb)):
                self._owners[effect.ticket] = self.torrents[effect.torrent]
        return effects

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._shared.events = self._shared.events, []
        return events

    def _new_number(self) -> int:
        self._last_torrent += 1
        return self._last_torrent

    def _forget(self, torrent: Torrent) -> None:
        self.torrents.pop(torrent.number, None)
        if torrent.download is not None:
            torrent.download.assembly.slabs.close()
        if torrent.uploads is not None:
            torrent.uploads.close()
        self._by_hash.pop(torrent.wire_hash, None)
        self._deadlines.set(torrent.number, None)

    def _forget_name(self, wire_hash: InfoHashV1, also: InfoHashV1 | None) -> None:
        if also is not None and self._also_called.get(also) == wire_hash:
            del self._also_called[also]

    def _own_name(self, handshake: Handshake) -> InfoHashV1:
        """The hash that the torrent of a handshake was added by."""
        return self._also_called.get(handshake.info_hash, handshake.info_hash)

    def _welcome(self, torrent: Torrent, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """Answer a handshake and let the peer in."""
        name = torrent.names.answer(handshake)
        wire.send_handshake(our_handshake(name, self._shared.peer_id))
        torrent.joined(wire, handshake, now, incoming=True, name=name)

    def _take_callers(self, wire_hash: InfoHashV1) -> list[tuple[PeerWire, Handshake]]:
        """The connections that wait for a torrent; they are strangers no more."""
        callers = [caller for caller in self._callers.values() if self._own_name(caller[1]) == wire_hash]
        for wire, _ in callers:
            del self._callers[wire.key]
            self._strangers.pop(wire.key, None)
        return callers

    def _new_wire(self, link: Link, now: float, expected: Collection[InfoHashV1]) -> PeerWire:
        wire = PeerWire(link, self._shared.scratch, self, now, expected)
        self._last_wire -= 1  # tickets count up, wires down: they share a table
        wire.key = self._last_wire
        self._strangers[wire.key] = wire
        self._deadlines.set(wire.key, wire.next_due())
        return wire
