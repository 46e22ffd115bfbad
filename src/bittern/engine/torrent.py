"""The coordinator of one swarm: it owns the parts and routes between them. It holds no algorithm.

Calls come from the wires (`on_...`), from the core (answers to effects) and from the session (commands). What they
change is settled once per turn: requests are topped up, uploads served, decisions handed out.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, unique
from math import inf
from types import MappingProxyType

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError, StorageError, TrackerError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.base.rate import Meter
from bittern.codec.layers import Layers
from bittern.codec.metainfo import Info
from bittern.wire import donthave
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.handshake import Handshake
from bittern.wire.hashes import HashRange
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost

from .download import holdings
from .download.asking import cancel, reprioritize, stop_asking, top_up, update_interest
from .download.blame import Wrong
from .download.download import Download
from .download.exchange import MetadataExchange
from .download.hash_exchange import HashExchange
from .download.priorities import piece_priorities
from .download.suspects import PAROLE_SECONDS, TRIAL_SECONDS, judge, weigh
from .effects import (
    Completion,
    DiskFailed,
    ExtentStored,
    HashLeaves,
    HttpGet,
    LeavesHashed,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from .events import (
    Completed,
    LayersReceived,
    MetadataReceived,
    PieceFailed,
    PieceStored,
    StorageFailed,
)
from .limits import TorrentLimits
from .sources.announcer import Announcer, Tally
from .sources.tracker import TrackerSource
from .swarm.members import Members
from .swarm.names import Names
from .swarm.peer import Peer
from .swarm.peerbook import Peerbook, Source
from .swarm.turnover import is_sated
from .swarm.welcome import LT_DONTHAVE, UT_METADATA, describe, introduce
from .upload.choker import RECHOKE_SECONDS
from .upload.serving import Serving
from .upload.suggesting import Suggesting
from .upload.uploads import Uploads
from .world import Shared

TICK_SECONDS = 1.0
HURRIED_SECONDS = 5.0
"""Who is silent for so long is snubbed while there is no memory for more blocks."""


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
    """

    def __init__(
        self,
        number: int,
        wire_hash: InfoHashV1,
        tiers: tuple[tuple[str, ...], ...],
        shared: Shared,
        now: float,
        announcer: Announcer | None = None,
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
            trackers = TrackerSource(tiers, chance.rng_for("tracker", wire_hash), now)
            announcer = Announcer(number, wire_hash, trackers, shared)
        self.announcer = announcer
        self.trackers = announcer.trackers
        self.down = Meter()
        self.up = Meter()
        self._shared = shared
        self._metadata = MetadataExchange(wire_hash)
        self._hashes = HashExchange()
        self._suggesting = Suggesting(chance.rng_for("suggesting", wire_hash))
        self._serving = Serving(shared.settings, wire_hash, chance.rng_for("choker", wire_hash))
        self._dirty: dict[int, Peer] = {}
        self._tick_due = inf
        self._rechoke_due = 0.0
        self.limits = TorrentLimits(shared.limits)
        self._starved: dict[int, Peer] = {}  # peers that wait for a limit
        self._starved_until = inf
        self._congested = False
        self._downloaded_by_gone = 0

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
        self.called(info.info_hash_v1, info.info_hash_v2)
        self.layers = Layers(info, layers) if info.info_hash_v2 is not None else None
        self.download = Download(self.number, info, have, wanted, shared.settings, rng, self.layers)
        self._serving.ready(info.geometry, have)
        self._suggesting.ready(have.size)
        self.uploads = Uploads(self.number, info.geometry, shared.read_now, shared.next_ticket)
        self._metadata.known(info.raw)
        if self.layers is not None:
            self._hashes.known(self.layers, self.names.v2)
        if self.state is not TorrentState.PAUSED:
            self.state = TorrentState.ACTIVE
        for peer in list(self.peers.values()):
            self._equip(peer)
            if not peer.early.have_all:  # a seed wants nothing, whatever we have
                peer.wire.send_haves(self._serving.visible)
            self._replay(peer, now)
        if self.download.complete:
            shared.events.append(Completed(self.number))
        else:
            self.peerbook.hungry(now)
        self._touch_all()

    def super_seed(self) -> None:
        """Show pieces one by one if all are there when it begins: call it before `begin` (BEP 16)."""
        self._serving.hides = True

    def called(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """These are its info hashes, as far as they are known: of a hybrid both are announced."""
        self.names.learn(v1, v2)
        self.announcer.other_hash = next(iter(self.names.all[1:]), None)

    def pause(self, now: float) -> None:
        """Leave the swarm: connections end, trackers are told."""
        if self.state is TorrentState.PAUSED:
            return
        for peer in list(self.peers.values()):
            self._drop(peer, "the torrent was paused", now, sated=True)  # nobody failed: all may be dialed again
        self._members.stop_dialing(now)
        self.trackers.stop()
        self.state = TorrentState.PAUSED
        self._touch_all()

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
            self._touch_all()

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
        reprioritize(self.peers.values(), download, piece_priorities(self.info, files))
        if not download.complete:
            self.peerbook.hungry(now)
            if was_complete:
                self._describe()
        elif not was_complete:
            self._on_complete(download, now)
        self._touch_all()

    def limits_changed(self) -> None:
        """Who waits for a limit may ask again."""
        self._starved_until = inf
        starved, self._starved = self._starved, {}
        self._dirty.update({number: peer for number, peer in starved.items() if number in self.peers})
        self._shared.dirty[self.number] = None

    def bans_changed(self, host: str, now: float) -> None:
        """`host` was banned, or is no longer."""
        self.peerbook.bans_changed(host, now)
        if self.peerbook.banned(host, now):
            for peer in [peer for peer in self.peers.values() if peer.address.host == host]:
                self._drop(peer, "the address is banned", now)
        self._touch_all()

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
        self._touch_all()

    def add_candidates(self, addresses: Sequence[Address], source: Source, now: float) -> int:
        """Remember addresses of peers; how many were new."""
        self._touch_all()
        return sum(self.peerbook.add(address, source, now) for address in addresses)

    # --- what is known, for status and announces

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
        return self._downloaded_by_gone + sum(peer.pipeline.arrived for peer in self.peers.values() if peer.pipeline)

    @property
    def uploaded(self) -> int:
        """Bytes of blocks handed to connections, ever."""
        return self.uploads.total if self.uploads is not None else 0

    # --- connections, called by the core

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A dial led to nothing."""
        self._touch_all()
        self._members.connect_failed(ticket, reason, now)

    def dialed(self, ticket: int, wire: int) -> bool:
        """A dial made a connection that goes on under the key `wire`; False when it is not wanted any more."""
        return self._members.dialed(ticket, wire)

    def wire_ended(self, wire: PeerWire, reason: str, *, offence: bool, now: float) -> None:
        """A wire ended before it became a peer."""
        self._touch_all()
        self._members.wire_ended(wire, reason, offence=offence, now=now)

    def joined(
        self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool, name: InfoHashV1 | None = None
    ) -> None:
        """A handshake for this torrent is complete, both ways; `name` is the info hash that the connection goes by."""
        members = self._members
        crossed = members.crossed(wire, handshake, now, incoming=incoming)
        if crossed is not None:
            self._drop(crossed, Offence.DUPLICATE_PEER.value, now)
        weaker = members.gives_way(wire, handshake, now)
        if weaker is not None and self.state is not TorrentState.PAUSED:
            self._drop(weaker, "a peer of higher rank wants its place", now)
        closed = "the torrent is paused" if self.state is TorrentState.PAUSED else None
        peer = members.admit(wire, handshake, now, incoming=incoming, refusal=closed)
        if peer is None:
            self._touch_all()  # there may be room for a dial
            return
        peer.info_hash = name
        self.limits.equip(peer)
        self._equip(peer)
        peer.measure(now)
        have = self._serving.visible if self.download is not None else None
        introduce(peer, self._shared.settings, self._metadata.size, have, upload_only=self._upload_only)
        if self._tick_due == inf:
            self._tick_due = now + TICK_SECONDS
            self.down.add(0, now)  # the first second counts too
            self.up.add(0, now)
        self.touch(peer)

    # --- messages, called by the wires (PeerSink)

    def on_lost(self, peer: Peer, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The wire ended by itself, or because the peer broke the protocol."""
        self._forget(peer, str(reason), offence=isinstance(reason, RemoteProtocolError), now=now)

    def touch(self, peer: Peer) -> None:
        """Something about `peer` is to be settled at the end of the turn."""
        self._dirty[peer.number] = peer
        self._shared.dirty[self.number] = None

    def on_choke(self, peer: Peer, now: float) -> None:
        """BEP 3; with the fast extension each request is rejected by its own message (BEP 6)."""
        peer.peer_choking = True
        if not peer.fast:
            stop_asking(peer, cancel=False)
        self._touch_all()

    def on_unchoke(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_choking = peer.refusing = False

    def on_interested(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_interested = True
        if self.download is not None:
            self._serving.interested(peer, self.peers.values())

    def on_not_interested(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_interested = False

    def on_have(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 3."""
        holdings.heard_have(peer, self.download, piece)
        self._part_if_both_seed(peer, now)

    def on_bitfield(self, peer: Peer, payload: bytes, now: float) -> None:
        """BEP 3."""
        holdings.heard_bitfield(peer, self.download, payload)
        self._part_if_both_seed(peer, now)

    def on_have_all(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        holdings.heard_all(peer, self.download)
        self._part_if_both_seed(peer, now)

    def on_have_none(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        holdings.heard_none(peer)

    def on_requests(self, peer: Peer, runs: list[tuple[int, int, int, int]], now: float) -> None:
        """BEP 3, BEP 6: each is queued, rejected, or an offence."""
        if self.download is None:
            raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, "a request before anything was offered")
        self._serving.admit(peer, runs)
        self._suggesting.asked(peer, [run[0] for run in runs])

    def on_cancel(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 3; BEP 6 wants an answer: the block, or a reject."""
        if peer.uploads.cancel(piece, begin, length) and peer.fast:
            peer.wire.send_reject(piece, begin, length)

    def on_reject(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 6: somebody else is to be asked."""
        if peer.pipeline is None or begin % BLOCK or not peer.pipeline.rejected(piece, begin // BLOCK):
            raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"reject {piece}:{begin}+{length}")
        peer.lanes.down.give_back(length)
        peer.refusing = not peer.peer_choking
        self._touch_all()

    def on_suggest(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: it has this at hand, or nobody else has it yet."""
        if peer.pipeline is not None:
            peer.pipeline.suggested.append(piece)

    def on_allowed_fast(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: it gives this also while it chokes us."""
        if peer.pipeline is not None:
            peer.pipeline.allow(piece)
            self.touch(peer)

    def on_port(self, peer: Peer, port: int, now: float) -> None:
        """BEP 5: it runs a DHT node; we do not."""

    def on_extended(self, peer: Peer, ext_id: int, payload: bytes, now: float) -> None:
        """BEP 10."""
        if ext_id == HANDSHAKE_EXT_ID:
            peer.says = peer.says.updated(ExtendedHandshake.parse(payload))
            if peer.says.request_queue is not None and peer.pipeline is not None:
                peer.pipeline.limit(peer.says.request_queue)
            self._members.told_our_address(peer)
            if peer.says.port is not None:
                self._members.listens_on(peer, peer.says.port, now)
            self._part_if_both_seed(peer, now)
        elif ext_id == LT_DONTHAVE:
            holdings.heard_lost(peer, self.download, donthave.parse(payload))
            self._touch_all()  # what it can not give, others may
        elif ext_id == UT_METADATA:
            self._on_metadata(peer, payload, now)

    def on_hash_request(self, peer: Peer, span: HashRange, now: float) -> None:
        """BEP 52."""
        download = self.download
        piece = self._hashes.on_request(peer, span, download.have if download is not None else None)
        if piece is not None and download is not None and self.layers is not None:
            length = self.layers.data_length(piece)
            self._shared.effects.append(HashLeaves(self.number, piece, download.geometry.offset(piece), length))

    def on_hashes(self, peer: Peer, span: HashRange, hashes: bytes, now: float) -> None:
        """BEP 52: pieces whose hashes are known may be asked for."""
        try:
            told = self._hashes.on_hashes(peer, span, hashes)
        except RemoteProtocolError as error:
            if error.offence is Offence.BAD_HASHES:
                self.peerbook.ban(peer.address.host)
            raise
        if isinstance(told, Wrong):
            self._blame(told, now)
        elif told and self.download is not None and self.layers is not None:
            self.download.learned(told)
            if self.layers.complete:
                self._shared.events.append(LayersReceived(self.number, self.layers.rows()))
        self._touch_all()

    def _blame(self, wrong: Wrong, now: float) -> None:
        """Leaves showed which blocks of a bad piece are wrong: ban who sent them."""
        hosts = self.download.evidence.senders_of(wrong.piece, wrong.blocks) if self.download is not None else ()
        for host in hosts:
            self.peerbook.ban(host)
        for peer in [peer for peer in self.peers.values() if peer.address.host in hosts]:
            self._ban(peer, RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {wrong.piece}"), now)
            if self.download is not None:
                self.download.assembly.expunge(peer.number)

    def on_hash_reject(self, peer: Peer, span: HashRange, now: float) -> None:
        """BEP 52: somebody else is to be asked."""
        self._hashes.on_reject(peer, span, now)
        self._touch_all()

    def _on_metadata(self, peer: Peer, payload: bytes, now: float) -> None:
        outcome = self._metadata.on_message(peer, payload)
        if outcome.raw is not None:
            self.state = TorrentState.READY
            self._shared.events.append(MetadataReceived(self.number, outcome.raw))
        for number in outcome.liars:
            if number in self.peers:
                self._ban(self.peers[number], RemoteProtocolError(Offence.BAD_METADATA), now)
        self._touch_all()

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
                self._touch_all()
        elif isinstance(completion, PieceChecked):
            self._piece_checked(download, completion.piece, good=completion.good, now=now)
            if self.layers is not None:
                self._hashes.checked(completion.piece, completion.leaves, good=completion.good)
        elif isinstance(completion, RunRead):
            for reader in uploads.read(completion.job.ticket):
                self.touch(reader)
        elif isinstance(completion, LeavesHashed):
            self._hashes.leaves_read(completion.job.ticket, completion.leaves)
        elif isinstance(completion.job, HashLeaves):
            self._hashes.leaves_read(completion.job.ticket, None)
        elif isinstance(completion.job, StoreExtent):
            download.extent_done(completion.job)
            self._storage_failed(download, completion.error)
            self._touch_all()
        else:
            self._read_failed(uploads, completion)

    def http_done(self, wish: HttpGet, body: bytes, now: float) -> None:
        """A tracker answered."""
        self._touch_all()
        name = self.announcer.hash_of(wish)
        reply = self.announcer.answered(wish, body, now)
        if reply is not None:
            self.names.met(reply.peers, name)
        if reply is not None and self.state is not TorrentState.PAUSED:
            self.add_candidates(reply.peers, Source.TRACKER, now)

    def http_failed(self, wish: HttpGet, error: TrackerError, now: float) -> None:
        """A tracker did not answer, or refused."""
        self._touch_all()
        self.announcer.failed(wish, error, now)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        due = min(self._tick_due, self._starved_until)
        tracker = self.trackers.next_due()
        if tracker is not None and tracker < due:
            due = tracker
        if self.state in (TorrentState.ACTIVE, TorrentState.METADATA):
            dial = self._members.next_due()
            due = dial if dial < due else due  # noqa: FURB136 - each turn: no call
        return due if due != inf else None

    def advance(self, now: float) -> None:
        """Do what time demands."""
        if now >= self._starved_until:
            self.limits_changed()
        if now >= self._tick_due:
            self._tick(now)
        download = self.download
        partial = download is not None and download.complete and not download.have.complete
        left = download.lacking_bytes if download is not None else 1
        self.announcer.announce(Tally(self.uploaded, self.downloaded, left, partial), now)
        shared = self._shared
        if self.state in (TorrentState.ACTIVE, TorrentState.METADATA):
            shared.effects.extend(self._members.dials(now))

    def settle(self, now: float) -> None:
        """End of a turn: ask, serve and store what this turn made possible."""
        dirty, self._dirty = self._dirty, {}
        download, uploads = self.download, self.uploads
        if download is None or uploads is None:
            for peer in dirty.values():
                self._metadata.ask(peer, now)
            return
        effects = self._shared.effects
        effects.extend(download.take_jobs())
        peers = self.peers.values()
        for asker, piece, block in download.assembly.take_superfluous():
            spared = cancel(asker, peers, download, piece, block)
            if spared is not None:
                dirty[spared.number] = spared
        self._set_congestion(download, now)
        if self._serving.secretive:
            self._serving.show(dirty, self.peers)
        waiting = uploads.waiting()
        if waiting:
            dirty = {peer.number: peer for peer in waiting} | dirty
        asking, hashing = self.state is TorrentState.ACTIVE, self._hashes.wanted
        advising = download.complete and not self._serving.secretive  # else it would tell what is not shown
        for peer in dirty.values():
            if hashing:
                self._hashes.ask(peer, now)
            if asking:
                self._starve(peer, top_up(peer, peers, download, now))
            if advising:
                self._suggesting.advise(peer, download.picker.availability, crowd=len(peers))
            if peer.uploads.queued and not uploads.serve(peer, now):
                self._starve(peer, peer.lanes.up.ready_at(now))
        effects.extend(uploads.take_jobs())

    def _starve(self, peer: Peer, due: float) -> None:
        """A limit keeps `peer` waiting until `due`."""
        if due != inf:
            self._starved[peer.number] = peer
            self._starved_until = min(self._starved_until, due)

    # --- pieces

    def _piece_checked(self, download: Download, piece: int, *, good: bool, now: float) -> None:
        former_owner = download.assembly.former_owner(piece)
        senders = download.piece_checked(piece, good=good)
        if senders is None:
            return  # the storage failed in between and everything was begun anew
        culprits = judge(senders, former_owner, self.peers, good=good)
        if not good or download.evidence.copies:
            liars = weigh(download.evidence, piece, senders, self.peers, good=good)
            culprits += [peer for peer in self.peers.values() if peer.address.host in liars]
            for host in liars:
                self.peerbook.ban(host)  # also of those who have left
        for peer in culprits:
            self._ban(peer, RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {piece}"), now)
            download.assembly.expunge(peer.number)
        if not good:
            self._shared.events.append(PieceFailed(self.number, piece))
            self._touch_all()
            return
        self._shared.events.append(PieceStored(self.number, piece))
        for peer in self.peers.values():
            # Also to who has the piece: only so do two peers learn that both have everything.
            peer.wire.send_have(piece)
        if download.complete:
            self._on_complete(download, now)

    def _on_complete(self, download: Download, now: float) -> None:
        if download.have.complete:
            self.trackers.completed()
        self._shared.events.append(Completed(self.number))
        self._describe()
        for peer in list(self.peers.values()):
            update_interest(peer, download)
            self._part_if_both_seed(peer, now)

    def _describe(self) -> None:
        """Whether we want something has changed: tell everybody (BEP 21)."""
        for peer in self.peers.values():
            describe(peer, self._shared.settings, self._metadata.size, upload_only=self._upload_only)

    def _set_congestion(self, download: Download, now: float) -> None:
        """Stop reading from peers while the disk is behind, so that memory does not grow."""
        if download.congested == self._congested:
            return
        self._congested = download.congested
        for peer in self.peers.values():
            if peer.pipeline is None:
                continue
            if self._congested and peer.pipeline.outstanding:
                peer.wire.pause()
            elif not self._congested:
                peer.wire.resume()
                peer.pipeline.heard_at = max(peer.pipeline.heard_at, now)  # it was not the peer that was silent

    def _storage_failed(self, download: Download, error: StorageError) -> None:
        """Nothing more can be written: ask nobody, keep serving what is there, wait for `resume`."""
        if self.state is TorrentState.ACTIVE:
            self.state = TorrentState.FAILED
        elif not len(download.assembly):
            return  # known already, and everything was begun anew
        for peer in self.peers.values():
            stop_asking(peer, cancel=True)
        self._shared.effects.extend(download.start_over())
        self._shared.events.append(StorageFailed(self.number, error))

    def _read_failed(self, uploads: Uploads, failed: DiskFailed) -> None:
        """What we promised can not be read: refuse it; the session is told and checks."""
        assert isinstance(failed.job, ReadRun)
        for peer, piece, begin, length in uploads.failed(failed.job.ticket):
            for at in range(begin, begin + length, BLOCK):
                self._serving.decline(peer, (piece, at, min(BLOCK, begin + length - at)))
            self.touch(peer)
            self._serving.lose(piece, self.peers.values())
        self._shared.events.append(StorageFailed(self.number, failed.error))

    # --- peers

    def _equip(self, peer: Peer) -> None:
        """Give a peer what it needs to exchange pieces, as soon as the torrent's geometry is known."""
        if self.download is None:
            peer.wire.land_nowhere(self, peer, self.touch)
            return
        peer.pieces = Bitfield(self.download.have.size)
        peer.pipeline = self.download.pipeline(peer.number)
        if peer.says.request_queue is not None:
            peer.pipeline.limit(peer.says.request_queue)
        peer.wire.land(self, peer, peer.pipeline, self.touch)

    def _replay(self, peer: Peer, now: float) -> None:
        """What the peer said of its pieces before we knew the metadata."""
        if self.download is None:
            raise LocalProtocolError("the metadata is not known yet")
        try:
            holdings.take_early(peer, self.download)
        except RemoteProtocolError as error:
            peer.wire.close()
            self._forget(peer, str(error), offence=True, now=now)
        self._part_if_both_seed(peer, now)
        if peer.peer_interested and peer.number in self.peers:
            self._serving.interested(peer, self.peers.values())
        self._touch_all()

    @property
    def _upload_only(self) -> bool:
        """Whether we want nothing and say so (BEP 21); who shows its pieces one by one does not."""
        return self.download is not None and self.download.complete and not self._serving.secretive

    def _part_if_both_seed(self, peer: Peer, now: float) -> None:
        if self.download is not None and is_sated(peer, complete=self.download.complete):
            self._drop(peer, "neither side wants anything of the other", now, sated=True)
            if peer.is_seed:
                self._serving.reveal(self.peers)

    def _ban(self, peer: Peer, offence: RemoteProtocolError, now: float) -> None:
        """Have nothing to do with a peer's address any more."""
        self.peerbook.ban(peer.address.host)
        peer.wire.close()
        self._forget(peer, str(offence), offence=True, now=now)

    def _drop(self, peer: Peer, reason: str, now: float, *, sated: bool = False) -> None:
        """End a connection for a reason of our own."""
        peer.wire.close()
        self._forget(peer, reason, offence=False, now=now, sated=sated)

    def _forget(self, peer: Peer, reason: str, *, offence: bool, now: float, sated: bool = False) -> None:
        if self.peers.pop(peer.number, None) is None:
            return
        self._dirty.pop(peer.number, None)
        self._suggesting.withdraw(peer)
        download = self.download
        if download is not None and peer.pipeline is not None and peer.pieces is not None:
            peer.lanes.down.give_back(peer.pipeline.outstanding * BLOCK)
            peer.pipeline.give_up(forgive=False)
            self._downloaded_by_gone += peer.pipeline.arrived
            holdings.gone(peer, download)
        if self.uploads is not None:
            self.uploads.forget(peer)
        self._metadata.lost(peer)
        self._hashes.lost(peer)
        self._touch_all()
        if not self.peers:
            self._tick_due = inf
            if self.left_bytes:
                self.trackers.hurry(now)
        self._members.left(peer, reason, offence=offence, now=now, sated=sated)

    def _touch_all(self) -> None:
        self._dirty.update(self.peers)
        self._shared.dirty[self.number] = None

    # --- what time demands

    def _tick(self, now: float) -> None:
        self._tick_due = now + TICK_SECONDS
        patience = self._shared.settings.request_timeout_seconds
        if self.download is not None and self.download.assembly.slabs.exhausted:
            patience = min(patience, HURRIED_SECONDS)  # its blocks hold memory that others could fill
        for peer in list(self.peers.values()):
            peer.wire.keep_up(now)
            pipeline = peer.pipeline
            peer.measure(now)
            if peer.refusing:
                peer.refusing = False
                self.touch(peer)
            if peer.number not in self.peers or pipeline is None:
                continue
            if self.download is not None:
                patience_alone = PAROLE_SECONDS if pipeline.paroled else TRIAL_SECONDS
                self.download.assembly.disown(pipeline.number, now - patience_alone)
            if not pipeline.waiting:
                continue
            pipeline.steer(peer.down.rate(now))
            if now - pipeline.heard_at >= pipeline.patience(patience) and not self._congested:
                pipeline.snubbed = True
                stop_asking(peer, cancel=False)
                self._touch_all()
        for peer in self.uploads.hogs(self.peers.values(), now) if self.uploads is not None else ():
            self._drop(peer, "it takes nothing, and others wait for the memory that it holds", now)
        self.down.count_up_to(self.downloaded, now)
        self.up.count_up_to(self.uploaded, now)
        if now >= self._rechoke_due and self.download is not None:
            self._rechoke_due = now + RECHOKE_SECONDS
            for peer in self._members.to_part_with(now, seeding=self.download.complete):
                self._drop(peer, "others wait that may be of more use", now, sated=True)
            self._serving.rechoke(self.peers, now, seeding=self.download.complete)
            self._touch_all()
        hurried = self.download is not None and self.download.urgent.due
        if self._metadata.wanted or self._hashes.wanted or hurried:
            self._touch_all()
