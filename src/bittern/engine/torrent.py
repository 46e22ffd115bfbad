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
from bittern.base.errors import LocalProtocolError, Offence, TrackerError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.base.rate import Meter
from bittern.codec.layers import Layers
from bittern.codec.metainfo import Info
from bittern.wire.announce import AnnounceReply
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost

from .download import holdings
from .download.asking import cancel, reprioritize, top_up, update_interest
from .download.download import Download
from .download.exchange import MetadataExchange
from .download.hash_routes import HashRoutes
from .download.piece_end import PieceEnd
from .download.priorities import piece_priorities
from .download.watch import watch
from .effects import (
    Completion,
    ExtentStored,
    HashLeaves,
    LeavesHashed,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from .events import Completed, MetadataReceived, StorageFailed
from .limits import TorrentLimits
from .messages import Messages
from .sources.allowed import sources_for
from .sources.announcer import Announcer, Tally
from .sources.pex import PeerExchange
from .sources.tracker import TrackerSource
from .swarm.company import Company
from .swarm.members import Members
from .swarm.names import Names
from .swarm.peer import Peer
from .swarm.peerbook import Peerbook, Source
from .swarm.welcome import describe, introduce
from .upload.choker import RECHOKE_SECONDS
from .upload.serving import Serving
from .upload.suggesting import Suggesting
from .upload.uploads import Uploads
from .web.seeds import WebSeeds
from .world import Shared

TICK_SECONDS = 1.0


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
        self.peerbook = Peerbook(chance.rng_for("peerbook", wire_hash), shared.bans)
        self._members = Members(number, self.peerbook, shared)
        self.peers = self._members.peers
        if announcer is None:
            rng, to_all = chance.rng_for("tracker", wire_hash), shared.settings.announce_to_all
            trackers = TrackerSource(tiers, rng, now, trusted, to_all=to_all)
            announcer = Announcer(number, wire_hash, trackers, shared)
        self.announcer = announcer
        self.trackers = announcer.trackers
        self.down = Meter()
        self.up = Meter()
        self._shared = shared
        self._metadata = MetadataExchange(wire_hash)
        self._company = Company(number, self._members, self.peerbook, shared, self._parted)
        self.web = WebSeeds(number, wire_hash, self._company, shared)
        self._hashes = HashRoutes(number, self._company, shared)
        self._ends = PieceEnd(number, self._company, shared)
        self._suggesting = Suggesting(chance.rng_for("suggesting", wire_hash))
        self._pex = PeerExchange(self._company, self.peerbook, shared.settings)
        self._serving = Serving(shared.settings, wire_hash, chance.rng_for("choker", wire_hash))
        parts = (self._metadata, self._hashes, self._serving, self._suggesting, self._pex)
        self._messages = Messages(self._company, self._members, *parts, self._learned)
        self._tick_due = inf
        self._rechoke_due = 0.0
        self.limits = TorrentLimits(shared.limits)
        self._downloaded_by_gone = 0
        self.sources = sources_for(None, shared.settings)
        self.peerbook.keep(self.sources)

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
        self.download.assembly.slabs.share(self.download.assembly, self._company.touch_all)
        self.web.ready(info, self.download, self.limits.whole)
        self._serving.ready(info.geometry, have)
        self._suggesting.ready(have.size)
        memory, wake = shared.upload_memory, self._company.stir
        self.uploads = Uploads(self.number, info.geometry, have, memory, wake, shared.read_now, shared.next_ticket)
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
        """The metadata is known, but without its piece layers the files can not be checked: find those first (BEP 52).

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
            self._describe()
        self._company.touch_all()

    def called(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """These are its info hashes, as far as they are known: of a hybrid both are announced."""
        self.names.learn(v1, v2)
        self.announcer.other_hash = self.names.other

    def pause(self, now: float) -> None:
        """Leave the swarm: connections end, trackers are told."""
        if self.state is TorrentState.PAUSED:
            return
        for peer in list(self.peers.values()):
            # Nobody failed: all may be dialed again.
            self._company.drop(peer, "the torrent was paused", now, sated=True)
        self._members.stop_dialing(now)
        self.web.stop()
        self.trackers.stop()
        self.state = TorrentState.PAUSED
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
                self._describe()
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
        self._company.touch_all()
        return sum(self.peerbook.add(address, source, now) for address in addresses)

    def _learned(self, raw: bytes) -> None:
        self.state = TorrentState.READY
        self._shared.events.append(MetadataReceived(self.number, raw))

    def _limit_sources(self, info: Info, now: float) -> None:
        """Peers are found in the ways that a torrent of `info` may use, and in no other."""
        self.sources = sources_for(info, self._shared.settings)
        if strangers := self.peerbook.keep(self.sources):
            self._members.stop_dialing(now)
            self._company.leave_strangers(strangers, now)
        if self._pex.on and Source.PEX not in self.sources:
            self._pex.on = False
            self._describe()

    # --- what is known, for status and announces

    @property
    def searches_locally(self) -> bool:
        """Whether it is announced in the local network, and finds peers there (BEP 14)."""
        return Source.LSD in self.sources and self.state in (TorrentState.ACTIVE, TorrentState.METADATA)

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
        by_peers = sum(peer.pipeline.arrived for peer in self.peers.values() if peer.pipeline)
        return self._downloaded_by_gone + self.web.arrived + by_peers

    @property
    def uploaded(self) -> int:
        """Bytes of blocks handed to connections, ever."""
        return self.uploads.total if self.uploads is not None else 0

    @property
    def unsent(self) -> int:
        """Bytes of blocks among them that connections have not sent yet."""
        return sum(peer.wire.unsent - peer.wire.unsent_words for peer in self.peers.values())

    # --- connections, called by the core

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A dial led to nothing."""
        self._company.touch_all()
        self._members.connect_failed(ticket, reason, now)

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
        members = self._members
        crossed = members.crossed(wire, handshake, now, incoming=incoming)
        if crossed is not None:
            self._company.drop(crossed, Offence.DUPLICATE_PEER.value, now)
        weaker = members.gives_way(wire, handshake, now)
        if weaker is not None and self.state is not TorrentState.PAUSED:
            self._company.drop(weaker, "a peer of higher rank wants its place", now)
        closed = "the torrent is paused" if self.state is TorrentState.PAUSED else None
        if not incoming and wire.link.address not in self.peerbook:  # it was dialed before that was known
            closed = "who named it may not name any peer"
        peer = members.admit(wire, handshake, now, incoming=incoming, refusal=closed)
        if peer is None:
            self._company.touch_all()  # there may be room for a dial
            return
        peer.info_hash = name
        self.limits.equip(peer)
        self._messages.land(peer)
        peer.measure(now)
        have = self._serving.visible if self.download is not None else None
        upload_only, pex = self._upload_only, self._pex.on
        introduce(peer, self._shared.settings, self._metadata.size, have, upload_only=upload_only, pex=pex)
        self._measure(now)
        self._company.touch(peer)

    # --- answers to effects, called by the core

    def disk_done(self, completion: Completion, now: float) -> None:
        """A disk job ended."""
        download, uploads = self.download, self.uploads
        if download is None or uploads is None:
            return
        if isinstance(completion, ExtentStored):
            short = download.congested or download.assembly.slabs.exhausted
            download.extent_done(completion.job)
            self._shared.dirty[self.number] = None
            if short:  # else nobody waits for the memory
                self._company.touch_all()
        elif isinstance(completion, PieceChecked) and completion.contradictory:
            self.web.stop()
            self._ends.contradicted(download, completion.piece)
            self.pause(now)
        elif isinstance(completion, PieceChecked):
            leaves = completion.leaves
            stored = self._ends.checked(download, completion.piece, now, good=completion.good, leaves=leaves)
            if stored and download.complete:
                self._on_complete(download, now)
            if self.layers is not None:
                self._hashes.exchange.checked(completion.piece, leaves, good=completion.good)
        elif isinstance(completion, RunRead):
            for reader in uploads.read(completion.job.ticket):
                self._company.touch(reader)
        elif isinstance(completion, LeavesHashed):
            self._hashes.exchange.leaves_read(completion.job.ticket, completion.leaves)
        elif isinstance(completion.job, HashLeaves):
            self._hashes.exchange.leaves_read(completion.job.ticket, None)
        elif isinstance(completion.job, StoreExtent):
            download.extent_done(completion.job)
            self.web.stop()
            self._ends.storage_failed(download, completion.error, known=self.state is not TorrentState.ACTIVE)
            if self.state is TorrentState.ACTIVE:
                self.state = TorrentState.FAILED
            self._company.touch_all()
        else:
            assert isinstance(completion.job, ReadRun)
            for reader in self._serving.unreadable(uploads.failed(completion.job.ticket), self.peers.values()):
                self._company.touch(reader)
            piece = completion.job.offset // download.geometry.piece_size
            self._shared.events.append(StorageFailed(self.number, completion.error, piece))

    def tracker_said(self, ticket: int, said: AnnounceReply | TrackerError, now: float) -> None:
        """A tracker answered, refused, or did not answer."""
        self._company.touch_all()
        name = self.announcer.hash_of(ticket)
        reply = self.announcer.heard(ticket, said, now)
        if reply is not None:
            self.names.met(reply.peers, name)
        if reply is not None and self.state is not TorrentState.PAUSED:
            self.add_candidates(reply.peers, Source.TRACKER, now)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        due, starved, web = self._tick_due, self.limits.starved_until, self.web.due
        due = starved if starved < due else due  # noqa: FURB136 - each turn: no call
        due = web if web < due else due  # noqa: FURB136 - as above
        waits = self.number in self._shared.turnstile.waiting and not self.trackers.leaving
        tracker = self.trackers.next_due() if not waits else None
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
        if now >= self._tick_due:
            self._tick(now)
        download = self.download
        partial = download is not None and download.complete and not download.have.complete
        left = download.lacking_bytes if download is not None else 1
        self.announcer.announce_in_turn(Tally(self.uploaded, self.downloaded, left, partial), now)
        shared = self._shared
        if self.state in (TorrentState.ACTIVE, TorrentState.METADATA):
            shared.effects.extend(self._members.dials(now))

    def settle(self, now: float) -> None:
        """End of a turn: ask, serve and store what this turn made possible."""
        dirty, self._company.touched = self._company.touched, {}
        download, uploads = self.download, self.uploads
        if download is None or uploads is None:
            for peer in dirty.values():
                self._metadata.ask(peer, now)
                self._hashes.ask_early(peer, now)
            return
        effects = self._shared.effects
        effects.extend(download.take_jobs())
        peers = self.peers.values()
        for asker, piece, block in download.assembly.take_superfluous():
            spared = cancel(asker, peers, download, piece, block)
            if spared is not None:
                dirty[spared.number] = spared
        self._ends.set_congestion(download, now)
        if self._serving.secretive:
            self._serving.show(dirty, self.peers)
        waiting = uploads.waiting()
        if waiting:
            dirty = {peer.number: peer for peer in waiting} | dirty
        asking, hashing = self.state is TorrentState.ACTIVE, self._hashes.exchange.wanted
        advising = download.complete and not self._serving.secretive  # else it would tell what is not shown
        if self._suggesting.ending and advising:
            self._serving.reserve(
                self._suggesting.last_takers(self.peers, download.picker.availability, now), self.peers
            )
        for peer in dirty.values():
            if hashing:
                self._hashes.exchange.ask(peer, now)
            if asking:
                self.limits.starve(peer, top_up(peer, peers, download, now))
            if advising:
                self._suggesting.advise(peer, download.picker.availability, crowd=len(peers))
            if peer.uploads.queued and not uploads.serve(peer, now):
                self.limits.starve(peer, peer.lanes.up.ready_at(now))
        if self.web.seeds:
            self._settle_web(now, asking=asking)
        effects.extend(uploads.take_jobs())

    def _settle_web(self, now: float, *, asking: bool) -> None:
        if asking:
            self.web.settle(now)
        else:
            self.web.stop()
        if self.web.busy:
            self._measure(now)

    # --- pieces

    def _on_complete(self, download: Download, now: float) -> None:
        if download.have.complete:
            self.trackers.completed()
        self._shared.events.append(Completed(self.number))
        self._describe()
        for peer in list(self.peers.values()):
            update_interest(peer, download)
            self._messages.part_if_both_seed(peer, now)

    def _describe(self) -> None:
        """Whether we want something has changed: tell everybody (BEP 21)."""
        for peer in self.peers.values():
            upload_only, pex = self._upload_only, self._pex.on
            describe(peer, self._shared.settings, self._metadata.size, upload_only=upload_only, pex=pex)

    # --- peers

    @property
    def _upload_only(self) -> bool:
        """Whether we want nothing and say so (BEP 21); who shows its pieces one by one does not."""
        return self.download is not None and self.download.complete and not self._serving.secretive

    def _parted(self, peer: Peer, now: float) -> None:
        """A peer is gone: every part forgets it."""
        self._suggesting.withdraw(peer)
        download = self.download
        self._pex.left(peer, complete=download is not None and download.complete)
        if download is not None and peer.pipeline is not None and peer.pieces is not None:
            peer.lanes.down.give_back(peer.pipeline.outstanding * BLOCK)
            peer.pipeline.give_up(forgive=False)
            self._downloaded_by_gone += peer.pipeline.arrived
            holdings.gone(peer, download)
        if self.uploads is not None:
            self.uploads.forget(peer)
        self._metadata.lost(peer)
        self._hashes.exchange.lost(peer)
        if not self.peers:
            self._tick_due = inf if not self.web.busy else self._tick_due
            if self.left_bytes:
                self.trackers.hurry(now)

    # --- what time demands

    def _measure(self, now: float) -> None:
        """Something begins to move."""
        if self._tick_due == inf:
            self._tick_due = now + TICK_SECONDS
            self.down.add(0, now)  # the first second counts too
            self.up.add(0, now)

    def _tick(self, now: float) -> None:
        self._tick_due = now + TICK_SECONDS if self.peers or self.web.busy else inf
        patience = self._shared.settings.request_timeout_seconds
        watch(self._company, self.download, patience, now, congested=self._ends.congested)
        self.web.watch(patience, now)
        for peer in self.uploads.hogs(self.peers.values(), now) if self.uploads is not None else ():
            self._company.drop(peer, "it takes nothing, and others wait for the memory that it holds", now)
        self._pex.tell(now)
        self.down.count_up_to(self.downloaded, now)
        self.up.count_up_to(self.uploaded, now)
        if now >= self._rechoke_due and self.download is not None:
            self._rechoke_due = now + RECHOKE_SECONDS
            for peer in self._members.to_part_with(now, seeding=self.download.complete):
                self._company.drop(peer, "others wait that may be of more use", now, sated=True)
            self._serving.rechoke(self.peers, now, seeding=self.download.complete)
            self._company.touch_all()
        hurried = self.download is not None and self.download.urgent.due
        if self._metadata.wanted or self._hashes.exchange.wanted or hurried:
            self._company.touch_all()
