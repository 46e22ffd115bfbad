"""The coordinator of one swarm: it owns the parts and routes between them. It holds no algorithm.

Calls come from the wires (through `Messages`), from the core (answers to effects) and from the session (commands). What
they change is settled once per turn: requests are topped up, uploads served, decisions handed out.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, unique
from math import inf
from types import MappingProxyType

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError, TrackerError
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.base.transport import Transport
from bittern.codec.layers import Layers
from bittern.codec.metainfo import Info
from bittern.wire.announce import AnnounceReply
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost

from .disk_answers import DiskAnswers, Outcome
from .download.asking import reprioritize, update_interest
from .download.download import Download
from .download.hash_routes import HashRoutes
from .download.metadata_exchange import MetadataExchange
from .download.piece_end import PieceEnd
from .download.priorities import piece_priorities
from .download.taking import Taking
from .effects import Completion
from .events import Completed, MetadataReceived
from .introductions import Introductions
from .limits import TorrentLimits
from .messages import Messages
from .sources.announcer import Announcer
from .sources.finding import Finding
from .sources.tracker import TrackerSource
from .swarm.company import Company
from .swarm.members import Members
from .swarm.names import Names
from .swarm.peer import Peer
from .swarm.peerbook import Peerbook, Source
from .traffic import Traffic
from .upload.giving import Giving
from .upload.serving import Serving
from .upload.suggesting import Suggesting
from .upload.uploads import Uploads
from .web.seeds import WebSeeds
from .world import Shared


@unique
class TorrentState(Enum):
    """Life of a torrent in the engine."""

    METADATA = "fetching metadata"
    READY = "metadata is here, files are not"
    ACTIVE = "active"
    PAUSED = "paused"
    FAILED = "storage failed"


class Torrent:
    """One swarm, seen from us.

    Args:
        number: of the torrent in this core.
        wire_hash: what handshakes carry.
        tiers: its trackers.
        shared: what all torrents of the core share.
        now: when it was added.
        announcer: its announces, if it made some before it slept.
        trusted: those of its trackers that the user named.
    """

    def __init__(
        self,
        number: int,
        wire_hash: InfoHashV1,
        tiers: tuple[tuple[str, ...], ...],
        shared: Shared,
        now: float,
        announcer: Announcer | None = None,
        trusted: Collection[str] = (),
    ) -> None:
        chance = shared.chance
        self.number = number
        self.wire_hash = wire_hash
        self.names = Names(wire_hash)
        self.state = TorrentState.METADATA
        self.info: Info | None = None
        self.layers: Layers | None = None
        self.download: Download | None = None
        self.uploads: Uploads | None = None
        self.peerbook = Peerbook(chance.rng_for("peerbook", wire_hash), shared.bans, shared.ip_filter, wire_hash)
        self._members = Members(number, self.peerbook, shared)
        self.peers = self._members.peers
        if announcer is None:
            rng, to_all = chance.rng_for("tracker", wire_hash), shared.settings.announce_to_all
            trackers = TrackerSource(tiers, rng, now, trusted, to_all=to_all)
            announcer = Announcer(number, wire_hash, trackers, shared)
        self.announcer = announcer
        self.trackers = announcer.trackers
        self._shared = shared
        self._metadata = MetadataExchange(wire_hash)
        self._company = Company(number, self._members, self.peerbook, shared, self._parted)
        self.web = WebSeeds(number, wire_hash, self._company, shared)
        self._hashes = HashRoutes(number, self._company, shared)
        suggesting = Suggesting(chance.rng_for("suggesting", wire_hash))
        self._serving = Serving(shared.settings, wire_hash, chance.rng_for("choker", wire_hash))
        self._traffic = Traffic(self.peers, self.web)
        self.limits = TorrentLimits(shared.limits)
        self._finding = Finding(self._company, self._members, self.peerbook, self.names, announcer, shared)
        self._taking = Taking(self._company, self._metadata, self._hashes, self.limits, shared)
        self._giving = Giving(number, self._company, self._members, self._serving, suggesting, self.limits, shared)
        self._pex = self._finding.pex
        self.nodes = self._finding.nodes
        parts = (self._metadata, self._hashes, self._serving, suggesting, self._pex, self.nodes, self._finding.punching)
        self._messages = Messages(self._company, self._members, *parts, self._learned)
        ends = PieceEnd(number, self._company, shared)
        self._answers = DiskAnswers(ends, self._hashes, self._taking, self._giving, self.web)
        said = (shared.settings, shared.ourselves, self._metadata, self._serving, self._pex)
        self._introductions = Introductions(self.peers, *said)

    # --- commands

    def begin(
        self,
        info: Info,
        have: Bitfield,
        wanted: Bitfield | None,
        now: float,
        layers: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        """The metadata is known and the files are checked: exchange pieces.

        Args:
            info: the metadata.
            have: pieces that are stored; owned by the torrent from now on.
            wanted: pieces to fetch; None for all.
            now: the time.
            layers: piece layers that are known, by root (BEP 52); the others come from peers.
        """
        shared = self._shared
        rng = shared.chance.rng_for("picker", self.wire_hash)
        wanted = wanted if wanted is not None else Bitfield.full(have.size)
        self.info = info
        self._limit_sources(info, now)
        self.called(info.info_hash_v1, info.info_hash_v2)
        self.layers = Layers(info, layers) if info.info_hash_v2 is not None else None
        self.download = Download(self.number, info, have, wanted, shared.settings, rng, self.layers, shared.memory)
        self.web.ready(info, self.download, self.limits.whole)
        self._taking.ready(self.download)
        self.uploads = self._giving.ready(self.download)
        self._traffic.ready(self.download, self.uploads)
        self._answers.ready(self.download)
        self._introductions.ready(self.download)
        self._metadata.known(info.raw)
        self._hashes.ready(self.download, self.layers, self.names)
        self._messages.ready(self.download)
        if self.state is not TorrentState.PAUSED:
            self.state = TorrentState.ACTIVE
        for peer in list(self.peers.values()):
            self._messages.land(peer)
            if not peer.early.have_all:  # a seed wants nothing, whatever we have
                peer.wire.send_haves(self._serving.visible)
            self._messages.replay(peer, now)
        if self.download.complete:
            shared.events.append(Completed(self.number))
        else:
            self.peerbook.hungry(now)
        self._company.touch_all()

    def seek_layers(self, info: Info, layers: Mapping[bytes, bytes], now: float) -> None:
        """The metadata is known, but without its piece layers the files cannot be checked: find those first (BEP 52).

        Nothing is downloaded until `begin`, which is to follow when `LayersReceived` told of them.

        Args:
            info: the metadata.
            layers: piece layers that are known, by root; the others come from peers.
            now: the time.
        """
        self.called(info.info_hash_v1, info.info_hash_v2)
        self._limit_sources(info, now)
        self._metadata.known(info.raw)
        self._hashes.seek(info, Layers(info, layers), self.names)
        if self.state is TorrentState.READY:
            self.state = TorrentState.METADATA
        self.peerbook.hungry(now)
        self._company.touch_all()

    def super_seed(self, *, on: bool = True) -> None:
        """Show pieces one by one from now on, or from `begin` on if all are there then (BEP 16); or no longer."""
        self._serving.hide(self.peers, on=on)
        if self.download is not None and self.download.complete:
            self._introductions.repeat()
        self._company.touch_all()

    def called(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """These are its info hashes, as far as they are known: of a hybrid both are announced."""
        self.names.learn(v1, v2)
        self.announcer.other_hash = self.names.other

    def pause(self, now: float) -> None:
        """Leave the swarm: connections end, trackers are told."""
        if self.state is TorrentState.PAUSED:
            return
        self.cut("the torrent was paused", now)
        self.trackers.stop()
        self.state = TorrentState.PAUSED

    def cut(self, reason: str, now: float, *, only: Transport | None = None) -> None:
        """All connections end, or those over one transport; nobody failed by that: all may be dialed again."""
        for peer in [peer for peer in self.peers.values() if only in (None, peer.wire.link.transport)]:
            self._company.drop(peer, reason, now, sated=True)
        if only is not None:
            return
        self._members.stop_dialing(now)
        self.web.stop()
        self._company.touch_all()

    def resume(self, now: float) -> None:
        """Join the swarm again, after a pause or when the storage is well again."""
        self._serving.recover(self.peers.values())
        if self.state is TorrentState.PAUSED:
            self.trackers.restart(now)
        if self.state in (TorrentState.PAUSED, TorrentState.FAILED):
            self.state = TorrentState.ACTIVE if self.download is not None else TorrentState.METADATA
            if self.left_bytes:
                self.peerbook.hungry(now)
            if self.download is not None:
                for peer in self.peers.values():
                    update_interest(peer, self.download)
            self._company.touch_all()

    def prioritize(self, files: Sequence[int], now: float) -> None:
        """Want each file so much from now on: 0 not at all, 1 to 7, 4 is the rule, the highest first.

        Args:
            files: one priority for each file of the metadata, pads included.
            now: the time.

        Raises:
            LocalProtocolError: the metadata is unknown, or these are no priorities for it.
        """
        download = self.download
        if download is None or self.info is None:
            raise LocalProtocolError("the metadata is not known yet")
        was_complete = download.complete
        priorities = piece_priorities(self.info, files)
        self.web.want(priorities)
        reprioritize(self.peers.values(), download, priorities)
        if not download.complete:
            self.peerbook.hungry(now)
            if was_complete:
                self._introductions.repeat()
        elif not was_complete:
            self._on_complete(download, now)
        self._company.touch_all()

    def limits_changed(self) -> None:
        """Who waits for a limit may ask again."""
        starved = self.limits.take_starved()
        self._company.touched.update({number: peer for number, peer in starved.items() if number in self.peers})
        self._shared.dirty[self.number] = None

    def bans_changed(self, host: str, now: float) -> None:
        """`host` was banned, or is no longer."""
        self.peerbook.bans_changed(host, now)
        if self.peerbook.banned(host, now):
            self._company.expel(host, now)
        self._company.touch_all()

    def filter_changed(self, now: float) -> None:
        """The IP filter is another, or is for this torrent, or not, unlike before."""
        self._company.shut_out(now)
        self.web.filter_changed(now)

    def moved(self, now: float, *, back: bool = False) -> None:
        """Others reach us elsewhere from now on; `back`: or again, after nobody could be reached."""
        self.trackers.again(now, failed_too=back)
        if back and self.left_bytes:
            self.peerbook.hungry(now)
        self._introductions.repeat()
        self._company.touch_all()

    def set_deadline(self, piece: int, due: float | None) -> None:
        """`piece` is needed at `due` (None: at no time any more): earlier ones come first, before all else.

        Raises:
            LocalProtocolError: the metadata is unknown, or there is no such piece.
        """
        download = self.download
        if download is None or not 0 <= piece < download.have.size:
            raise LocalProtocolError(f"there is no piece {piece}, or the metadata is not known yet")
        if piece not in download.have:
            download.urgent.set(piece, due)
        self._company.touch_all()

    def add_candidates(self, addresses: Sequence[Address], source: Source, now: float) -> int:
        """Remember addresses of peers; how many were new. None are, of a source that the torrent may not use."""
        return self._finding.add(addresses, source, now)

    def add_trackers(self, urls: Sequence[str], now: float) -> None:
        """Ask those of `urls` that are new, too, after all others."""
        self.trackers.add(urls, now)
        self._company.touch_all()

    def _learned(self, raw: bytes) -> None:
        self.state = TorrentState.READY
        self._shared.events.append(MetadataReceived(self.number, raw))

    def _limit_sources(self, info: Info, now: float) -> None:
        """Peers are found in the ways that a torrent of `info` may use, and in no other."""
        if self._finding.limit_to(info, now):
            self._introductions.repeat()

    # --- what is known, for status and announces

    @property
    def sources(self) -> frozenset[Source]:
        """Who may name its peers."""
        return self._finding.sources

    @property
    def searches_locally(self) -> bool:
        """Whether it is announced in the local network, and finds peers there (BEP 14)."""
        return self.seeks(Source.LSD)

    def seeks(self, source: Source) -> bool:
        """Whether it takes part in its swarm, and may find peers there by `source`."""
        return source in self.sources and self.state in (TorrentState.ACTIVE, TorrentState.METADATA)

    @property
    def metadata_progress(self) -> tuple[int, int] | None:
        """See MetadataExchange.progress."""
        return self._metadata.progress

    @property
    def left_bytes(self) -> int:
        """Wanted bytes that are not stored; 1 while the metadata is unknown."""
        return self.download.left_bytes if self.download is not None else 1

    @property
    def idle(self) -> bool:
        """Whether it has everything it wants, and neither peers nor any on their way."""
        return self.download is not None and self.download.complete and not self.peers and not self._members.dialing

    @property
    def downloaded(self) -> int:
        """Bytes of blocks that came, ever."""
        return self._traffic.downloaded

    @property
    def uploaded(self) -> int:
        """Bytes of blocks handed to connections, ever."""
        return self._traffic.uploaded

    def rates(self, now: float) -> tuple[float, float]:
        """Bytes of blocks a second, down and up."""
        return self._traffic.rates(now)

    @property
    def unsent(self) -> int:
        """Bytes of blocks among them that connections have not sent yet."""
        return self._traffic.unsent

    # --- connections, called by the core

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A dial led to nothing."""
        self._finding.connect_failed(ticket, reason, now)

    def dialed(self, ticket: int, wire: int) -> bool:
        """A dial made a connection that goes on under the key `wire`; False when it is not wanted any more."""
        return self._members.dialed(ticket, wire)

    def wire_ended(self, wire: PeerWire, reason: str, *, offence: bool, now: float) -> None:
        """A wire ended before it became a peer."""
        self._company.touch_all()
        self._members.wire_ended(wire, reason, offence=offence, now=now)

    def joined(
        self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool, name: InfoHashV1 | None = None
    ) -> None:
        """A handshake for this torrent is complete, both ways; `name` is the info hash that the connection goes by."""
        closed = "the torrent is paused" if self.state is TorrentState.PAUSED else None
        peer = self._company.receive(wire, handshake, now, incoming=incoming, refusal=closed)
        if peer is None:
            return
        peer.info_hash = name
        self.limits.equip(peer)
        self._messages.land(peer)
        peer.measure(now)
        self._introductions.greet(peer)
        self.nodes.greet(peer, handshake)
        self._traffic.begin(now)
        self._company.touch(peer)

    # --- answers to effects, called by the core

    def disk_done(self, completion: Completion, now: float) -> None:
        """A disk job ended."""
        active = self.state is TorrentState.ACTIVE
        outcome = self._answers.heard(completion, now, active=active)
        if outcome is Outcome.COMPLETE and self.download is not None:
            self._on_complete(self.download, now)
        elif outcome is Outcome.CONTRADICTED:
            self.pause(now)
        elif outcome is Outcome.REFUSED:
            self.state = TorrentState.FAILED if active else self.state
            self._company.touch_all()

    def tracker_said(self, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        """A tracker answered, refused, or did not answer."""
        self._finding.tracker_said(ticket, said, now, welcome=self.state is not TorrentState.PAUSED)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        due, starved, web = self._traffic.due, self.limits.starved_until, self.web.due
        due = starved if starved < due else due  # noqa: FURB136 - each turn: no call
        due = web if web < due else due  # noqa: FURB136 - as above
        tracker = self.announcer.next_due()
        if tracker is not None and tracker < due:
            due = tracker
        if self.state in (TorrentState.ACTIVE, TorrentState.METADATA):
            dial = self._members.next_due()
            due = dial if dial < due else due  # noqa: FURB136 - each turn: no call
        return due if due != inf else None

    def advance(self, now: float) -> None:
        """Do what time demands."""
        if now >= self.limits.starved_until:
            self.limits_changed()
        if now >= self._traffic.due:
            self._tick(now)
        self.announcer.announce_in_turn(self._traffic.tally, now)
        if self.state in (TorrentState.ACTIVE, TorrentState.METADATA):
            self._shared.effects.extend(self._finding.dials(now))

    def settle(self, now: float) -> None:
        """End of a turn: ask, serve and store what this turn made possible."""
        if self.peerbook.untold:
            self._company.tell_blocked()
        touched, self._company.touched = self._company.touched, {}
        asking = self.state is TorrentState.ACTIVE
        self._taking.settle(touched, now, asking=asking)
        self._giving.settle(touched, now)
        if self.web.seeds and self.download is not None:
            self._settle_web(now, asking=asking)

    def _settle_web(self, now: float, *, asking: bool) -> None:
        if asking:
            self.web.settle(now)
        else:
            self.web.stop()
        if self.web.busy:
            self._traffic.begin(now)

    # --- pieces

    def _on_complete(self, download: Download, now: float) -> None:
        self.peerbook.content()
        if download.have.complete:
            self.trackers.completed()
        self._shared.events.append(Completed(self.number))
        self._introductions.repeat()
        for peer in list(self.peers.values()):
            update_interest(peer, download)
            self._messages.part_if_both_seed(peer, now)

    # --- peers

    def _parted(self, peer: Peer, now: float) -> None:
        """A peer is gone: every part forgets it."""
        self._finding.left(peer, complete=self.download is not None and self.download.complete)
        self._taking.left(peer)
        self._giving.left(peer)
        self._traffic.left(peer)
        if not self.peers and self.left_bytes:
            self.trackers.hurry(now)

    # --- what time demands

    def _tick(self, now: float) -> None:
        self._traffic.schedule(now)
        self._taking.watch(now)
        self.web.watch(self._shared.settings.request_timeout_seconds, now)
        self._giving.watch(now)
        self._pex.tell(now)
        self._traffic.count(now)
        self.limits.watch(self.peers.values(), now)
        self._giving.rechoke(now)
        if self._taking.impatient:
            self._company.touch_all()
