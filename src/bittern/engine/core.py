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
from bittern.wire.mse.cipher import MakeCipher
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import Link, LinkLost, Stream

from .directory import Directory
from .dormitory import Dormitory, Sleeper
from .effects import (
    Completion,
    Connect,
    ConnectWeb,
    Effect,
    GiveUp,
    HttpGet,
    PieceChecked,
)
from .encrypting import Encrypting
from .events import Event, PeerDropped
from .inquiries import Inquiries
from .limits import Limits
from .lobby import Lobby
from .neighbours import Neighbours
from .ports import Chance, Disk
from .presence import Presence
from .settings import EngineSettings
from .sources.announcer import Tally
from .sources.lsd import LocalSearch
from .swarm.bans import Bans
from .swarm.ip_filter import Blocked, IpFilter
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
        cipher: makes the ciphers of encrypted connections; None where the settings want none.

    Attributes:
        torrents: those that are awake, by number.
        presence: where others reach us.

    Raises:
        LocalProtocolError: the settings want encrypted connections, and there is no cipher.
    """

    def __init__(
        self,
        settings: EngineSettings,
        peer_id: PeerId,
        chance: Chance,
        disk: Disk,
        tracer: Tracer = silent,
        *,
        cipher: MakeCipher | None = None,
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
        self._directory = Directory(self.dormitory)
        self._encrypting = Encrypting(self._shared, self._directory.marked, cipher)
        self._lobby = Lobby(self, self._shared)
        self._inquiries = Inquiries(self._shared, self._tracker_said)
        search = LocalSearch(settings.listen_port, sha256(peer_id).hexdigest()[:16])
        self._neighbours = Neighbours(search, self.torrents, self._directory, self.dormitory)
        self.presence = Presence(self._shared, self.torrents, self.dormitory, self._lobby, self._neighbours)
        self._last_torrent = 0
        self._deadlines = Deadlines()  # of torrents by number
        self._dials: dict[int, Connect | ConnectWeb] = {}  # that are under way, by ticket

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
        sleeper = self.dormitory.take(wire_hash)
        self._directory.claim(wire_hash)
        number = sleeper.number if sleeper is not None else self._new_number()
        announcer = sleeper.announcer if sleeper is not None else None
        torrent = Torrent(number, wire_hash, tiers, self._shared, now, announcer, trusted)
        self.torrents[torrent.number] = torrent
        self._directory.enter(torrent)
        self._shared.dirty[torrent.number] = None
        self.search_locally(now)
        return torrent

    def search_locally(self, now: float) -> None:
        """A torrent takes part in its swarm, for the first time or again: the local network is told soon."""
        if self._shared.settings.use_lsd:
            self._neighbours.stir(now)

    def also_called(self, torrent: Torrent, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """The info hashes of `torrent`, as far as they are known: who calls it by any of them is let in (BEP 52)."""
        torrent.called(v1, v2)
        for name in torrent.names.all[1:]:
            self._directory.also(name, torrent.wire_hash)

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
        self._directory.claim(wire_hash)
        self._directory.also(also, wire_hash)
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
        for wire, handshake in self._callers_of(torrent.wire_hash):
            self._welcome(torrent, wire, handshake, now)
            wire.catch_up(now)

    def refuse_callers(self, wire_hash: InfoHashV1) -> None:
        """The torrent does not wake up: close the connections that wait for it."""
        for wire, _ in self._callers_of(wire_hash):
            wire.close()

    def remove(self, torrent: Torrent, now: float) -> None:
        """Leave a swarm and forget it; goodbyes to its trackers are among the next effects."""
        torrent.pause(now)
        torrent.advance(now)
        self._forget(torrent)
        self._directory.forget(torrent.names.other, torrent.wire_hash)

    def remove_sleeping(self, wire_hash: InfoHashV1, now: float) -> int | None:
        """Forget a torrent that sleeps; its number. Goodbyes to its trackers are among the next effects."""
        self.refuse_callers(wire_hash)
        sleeper = self.dormitory.take(wire_hash)
        if sleeper is not None:
            self._directory.forget(sleeper.also, wire_hash)
        if sleeper is not None and sleeper.announcer is not None:
            sleeper.announcer.trackers.stop()
            sleeper.announcer.announce(Tally(0, 0, 0), now)
        return sleeper.number if sleeper is not None else None

    def close(self, now: float) -> None:
        """End all connections, those that nobody knows yet too; nothing is said to trackers any more."""
        for torrent in self.torrents.values():
            torrent.pause(now)
        self._lobby.close()

    @property
    def goodbyes(self) -> int:
        """Announces under way, and those that sleeping torrents still have to make to leave."""
        return len(self._inquiries) + self.dormitory.farewells

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

    @property
    def ip_filter(self) -> IpFilter:
        """Addresses that nobody deals with but torrents that are exempt; `filter_changed` is to follow a change."""
        return self._shared.ip_filter

    def filter_changed(self, now: float) -> None:
        """Another filter was loaded, or other torrents are exempt: whom it keeps out goes."""
        self._lobby.shut_out(now)
        self._inquiries.filter_changed(now)
        for torrent in self.torrents.values():
            torrent.filter_changed(now)

    def bans_changed(self, host: str, now: float) -> None:
        """`host` was banned, which ends its connections, or it no longer is."""
        for torrent in self.torrents.values():
            torrent.bans_changed(host, now)

    # --- connections, called by the world

    def turns_away(self, host: str) -> bool:
        """Whether not even a datagram from `host` is looked at: the IP filter blocks it, whatever it wants."""
        return self._shared.ip_filter.turns_away(host)

    def accepted(self, link: Link, now: float) -> Stream:
        """The stream for an incoming connection; see Acceptor."""
        host = link.address.host
        if self._shared.bans.banned(host, now) or self._shared.ip_filter.turns_away(host):
            return self._lobby.refuse(link, now)
        wire = self._lobby.enter(link, now)
        self._lobby.crowd_out(host)
        return self._encrypting.arrived(link, wire)

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """A `Connect` succeeded; the stream for its link."""
        wish = self._dials.get(ticket)
        torrent = self._dialed_for(ticket)
        wire = self._lobby.enter(link, now, torrent)
        if torrent is None or not torrent.dialed(ticket, wire.key):
            self._lobby.turn_away(wire)
            return wire
        name = torrent.names.dialed(link.address)
        wire.send_handshake(
            our_handshake(name, self._shared.peer_id, torrent.names.reserved(name) | torrent.nodes.bits)
        )
        encrypted = isinstance(wish, Connect) and wish.encrypted
        return self._encrypting.dialed(link, wire, name, now) if encrypted else wire

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A `Connect` led to nothing."""
        torrent = self._dialed_for(ticket)
        if torrent is not None:
            torrent.connect_failed(ticket, reason, now)

    def web_connected(self, ticket: int, link: Link, now: float) -> Stream:
        """A `ConnectWeb` succeeded; the stream for its link."""
        torrent = self._dialed_for(ticket)
        stream = torrent.web.connected(ticket, link, now) if torrent is not None else None
        return stream if stream is not None else self._lobby.refuse(link, now)

    def web_failed(self, ticket: int, reason: str, now: float) -> None:
        """A `ConnectWeb` led to nothing."""
        torrent = self._dialed_for(ticket)
        if torrent is not None:
            torrent.web.failed(ticket, reason, now)

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """See Greeter: find the torrent, answer, and hand the connection over."""
        torrent = self._lobby.leave(wire)
        if torrent is not None:
            torrent.joined(wire, handshake, now, incoming=False, name=handshake.info_hash)
            return
        torrent = self._directory.awake(handshake.info_hash)
        own = self._directory.own(handshake.info_hash)
        if torrent is not None:
            self._welcome(torrent, wire, handshake, now)
        elif own in self.dormitory and not self._shared.ip_filter.refuses(
            wire.link.address.host, Blocked.INCOMING, own
        ):
            self._lobby.keep_waiting(wire, handshake)
            self.dormitory.call(own)
        else:
            # An unknown info hash is answered by closing: nobody learns what we have by asking.
            wire.close()

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """See Greeter."""
        torrent = self._lobby.leave(wire)
        offence = isinstance(reason, RemoteProtocolError)
        if torrent is not None:
            torrent.wire_ended(wire, str(reason), offence=offence, now=now)
        elif offence:
            self._shared.events.append(PeerDropped(0, wire.link.address, str(reason), offence=True))

    # --- answers, called by the world

    def disk_done(self, completions: Sequence[Completion], now: float) -> None:
        """Disk jobs ended, in this order."""
        for completion in completions:
            match completion:
                case PieceChecked(number):
                    torrent = self.torrents.get(number)
                case _:
                    torrent = self.torrents.get(completion.job.torrent)
            if torrent is not None:
                torrent.disk_done(completion, now)

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        """A fetch was answered."""
        self._inquiries.http_done(ticket, status, body, now)

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        """A fetch led to nothing."""
        self._inquiries.http_failed(ticket, reason, now)

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A `Resolve` found these numeric addresses; none where it failed."""
        self._inquiries.resolved(ticket, hosts, now)

    def worked_out(self, ticket: int, secret: bytes, now: float) -> None:
        """A `WorkOut` was done."""
        self._encrypting.worked_out(ticket, secret, now)

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram came that a tracker may have sent; what nobody asked for is dropped."""
        self._inquiries.datagram(data, source, now)

    def datagram_refused(self, address: Address, reason: str, now: float) -> None:
        """The system cannot send to `address`."""
        self._inquiries.unreachable(address, reason, now)

    def local_heard(self, datagram: bytes, host: str, now: float) -> None:
        """A datagram came from `host`, a numeric address, that was sent to all of the local network (BEP 14)."""
        self._neighbours.heard(datagram, host, now)

    def _tracker_said(self, number: int, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        """A tracker answered about a torrent, awake or asleep."""
        torrent = self.torrents.get(number)
        if torrent is not None:
            torrent.tracker_said(ticket, said, now)
        else:
            self.dormitory.tracker_said(number, ticket, said, now)

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
        due, shared = self._neighbours.search.next_due(), self._shared
        others = [self._deadlines.next(), self.dormitory.next_deadline()]
        if self._lobby.wires:  # seldom, as what follows
            others.append(self._lobby.next_deadline())
        if shared.turnstile.waiting or shared.udp_trackers.lines:
            others.append(self._inquiries.next_deadline())
        for other in others:
            if other is not None and other < due:
                due = other
        return due if due != inf else None

    def advance(self, now: float) -> None:
        """Do what time demands."""
        self._inquiries.advance(now)
        self._lobby.advance(now)
        for number in self._deadlines.take(now):
            if number in self.torrents:
                self.torrents[number].advance(now)
                self._shared.dirty[number] = None
        self.dormitory.advance(now)
        self._shared.effects.extend(self._neighbours.advance(now))

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; each answered once where it says so."""
        effects, self._shared.effects = self._shared.effects, []
        if self._shared.udp_trackers.lines:
            effects += self._shared.udp_trackers.take_effects()
        for effect in effects:
            if isinstance(effect, HttpGet):
                self._inquiries.asked(effect)
            elif isinstance(effect, (Connect, ConnectWeb)):
                self._dials[effect.ticket] = effect
            elif isinstance(effect, GiveUp):
                self._dials.pop(effect.ticket, None)
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
        self._directory.leave(torrent)
        self._deadlines.set(torrent.number, None)

    def _dialed_for(self, ticket: int) -> Torrent | None:
        """Whose connection was made or failed, while it is still in its swarm."""
        wish = self._dials.pop(ticket, None)
        return self.torrents.get(wish.torrent) if wish is not None else None

    def _welcome(self, torrent: Torrent, wire: PeerWire, handshake: Handshake, now: float) -> None:
        """Answer a handshake and let the peer in."""
        name = torrent.names.answer(handshake)
        wire.send_handshake(our_handshake(name, self._shared.peer_id, torrent.nodes.bits))
        torrent.joined(wire, handshake, now, incoming=True, name=name)

    def _callers_of(self, wire_hash: InfoHashV1) -> list[tuple[PeerWire, Handshake]]:
        """The connections that waited for a torrent, by whichever of its names."""
        return self._lobby.take_callers(lambda name: self._directory.own(name) == wire_hash)
