"""The coordinator of one swarm: it owns the parts and routes between them. It holds no algorithm.

Calls come from the wires (`on_...`), from the core (answers to effects) and from the session (commands). What they
change is settled once per turn: requests are topped up, uploads served, decisions handed out.
"""

from collections.abc import Sequence
from enum import Enum, unique
from math import inf

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError, StorageError, TrackerError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1
from bittern.base.rate import Meter
from bittern.codec.metainfo import Info
from bittern.wire.announce import AnnounceRequest
from bittern.wire.blocks import Run
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost
from bittern.wire.tracker_http import announce_url, parse_announce_reply
from bittern.wire.ut_metadata import (
    METADATA_PIECE,
    NAME,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    parse_metadata_message,
)

from .download.download import Download
from .download.metadata import MetadataFetch
from .download.requests import Pipeline
from .effects import Completion, Connect, DiskFailed, ExtentStored, HttpGet, PieceChecked, RunRead, StoreExtent
from .events import (
    Completed,
    MetadataReceived,
    PeerDropped,
    PeerJoined,
    PieceFailed,
    PieceStored,
    StorageFailed,
    TrackerAnswered,
    TrackerFailed,
)
from .sources.tracker import TrackerSource
from .swarm.peer import Peer
from .swarm.peerbook import Peerbook, Source
from .swarm.welcome import UT_METADATA, introduce
from .upload.admission import CHOKED_MOST, Verdict, admit
from .upload.choker import OPTIMISTIC_SECONDS, RECHOKE_SECONDS, Contender, optimistic, rechoke
from .upload.uploads import Uploads
from .world import Shared

TICK_SECONDS = 1.0
TRACKER_SECONDS = 30.0
GOODBYE_SECONDS = 5.0
STRIKES = 3
"""Failed pieces with a peer's blocks in them before it is banned; at once where it sent them alone."""


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
    """

    def __init__(
        self, number: int, wire_hash: InfoHashV1, tiers: tuple[tuple[str, ...], ...], shared: Shared, now: float
    ) -> None:
        self.number = number
        self.wire_hash = wire_hash
        self.state = TorrentState.METADATA
        self.info: Info | None = None
        self.download: Download | None = None
        self.uploads: Uploads | None = None
        self.peers: dict[int, Peer] = {}
        self.peerbook = Peerbook(shared.chance.rng_for("peerbook", wire_hash))
        self.trackers = TrackerSource(tiers, shared.chance.rng_for("tracker", wire_hash), now)
        self.down = Meter()
        self.up = Meter()
        self._shared = shared
        self._fetch: MetadataFetch | None = MetadataFetch(wire_hash)
        self._rng = shared.chance.rng_for("choker", wire_hash)
        self._dirty: dict[int, Peer] = {}
        self._dialing: dict[int, Address] = {}
        self._last_number = 0
        self._tick_due = inf
        self._rechoke_due = 0.0
        self._starved_until = inf
        self._congested = False
        self._gone_counted = 0  # bytes from peers that left
        self._down_counted = 0
        self._up_counted = 0

    # --- commands

    def begin(self, info: Info, have: Bitfield, wanted: Bitfield | None, now: float) -> None:
        """The metadata is known and the files are checked: exchange pieces.

        Args:
            info: the metadata; must have SHA-1 hashes.
            have: pieces that are stored; owned by the torrent from now on.
            wanted: pieces to fetch; None for all.
            now: the time.
        """
        shared = self._shared
        rng = shared.chance.rng_for("picker", self.wire_hash)
        wanted = wanted if wanted is not None else Bitfield.full(have.size)
        self.info = info
        self.download = Download(self.number, info, have, wanted, shared.settings, rng)
        self.uploads = Uploads(self.number, info.geometry, shared.up, shared.read_now, shared.next_ticket)
        self._fetch = None
        self.state = TorrentState.ACTIVE
        for peer in list(self.peers.values()):
            self._equip(peer)
            for piece in have:
                peer.wire.send_have(piece)
            self._replay(peer, now)
        if self.download.complete:
            shared.events.append(Completed(self.number))

    def pause(self, now: float) -> None:
        """Leave the swarm: connections end, trackers are told."""
        if self.state is TorrentState.PAUSED:
            return
        for peer in list(self.peers.values()):
            self._drop(peer, "the torrent was paused", now)
        self._dialing.clear()
        self.trackers.stop()
        self.state = TorrentState.PAUSED

    def resume(self, now: float) -> None:
        """Join the swarm again, after a pause or when the storage is well again."""
        if self.state is TorrentState.PAUSED:
            self.trackers.restart(now)
        if self.state in (TorrentState.PAUSED, TorrentState.FAILED):
            self.state = TorrentState.ACTIVE if self.download is not None else TorrentState.METADATA
            for peer in self.peers.values():
                self._update_interest(peer)
                self.touch(peer)

    def add_candidates(self, addresses: Sequence[Address], source: Source, now: float) -> int:
        """Remember addresses of peers; how many were new."""
        return sum(self.peerbook.add(address, source, now) for address in addresses)

    # --- what is known, for status and announces

    @property
    def left_bytes(self) -> int:
        """Wanted bytes that are not stored; 1 while the metadata is unknown."""
        return self.download.left_bytes if self.download is not None else 1

    @property
    def downloaded(self) -> int:
        """Bytes of blocks that came, ever."""
        return self._gone_counted + sum(peer.pipeline.arrived for peer in self.peers.values() if peer.pipeline)

    @property
    def uploaded(self) -> int:
        """Bytes of blocks handed to connections, ever."""
        return self.uploads.total if self.uploads is not None else 0

    # --- connections, called by the core

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A dial led to nothing."""
        address = self._dialing.pop(ticket, None)
        if address is not None:
            self.peerbook.ended(address, now, useful=False)
            self._shared.events.append(PeerDropped(self.number, address, str(reason), offence=False))

    def dialed(self, ticket: int) -> bool:
        """Whether the dial with `ticket` is still wanted."""
        return ticket in self._dialing

    def redial(self, ticket: int, wire: int) -> None:
        """The dial goes on under the key of its wire, until the handshake."""
        self._dialing[wire] = self._dialing.pop(ticket)

    def wire_ended(self, wire: PeerWire, reason: str, *, offence: bool, now: float) -> None:
        """A wire ended before it became a peer."""
        self._dialing.pop(wire.key, None)
        if offence and reason.startswith(Offence.SELF_CONNECTION.value):
            self.peerbook.is_self(wire.link.address)
        else:
            self.peerbook.ended(wire.link.address, now, useful=False)
        self._shared.events.append(PeerDropped(self.number, wire.link.address, reason, offence))

    def joined(self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool) -> None:
        """A handshake for this torrent is complete, both ways."""
        self._dialing.pop(wire.key, None)
        address = wire.link.address
        refusal = self._refusal(handshake, address)
        if refusal is not None:
            wire.close()
            self.wire_ended(wire, refusal, offence=refusal == Offence.SELF_CONNECTION.value, now=now)
            return
        self._last_number += 1
        peer = Peer(
            number=self._last_number,
            wire=wire,
            address=address,
            peer_id=handshake.peer_id,
            fast=handshake.supports(Reserved.FAST),
            extended=handshake.supports(Reserved.LTEP),
            incoming=incoming,
            joined_at=now,
        )
        self.peers[peer.number] = peer
        self.peerbook.connected(address)
        self._equip(peer)
        size = len(self.info.raw) if self.info is not None else None
        introduce(peer, self._shared.settings, size, self.download.have if self.download is not None else None)
        if self._tick_due == inf:
            self._tick_due = now + TICK_SECONDS
        self.touch(peer)
        client = handshake.peer_id.decode("latin-1")
        self._shared.events.append(PeerJoined(self.number, address, client))

    def peer_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> bool:
        """A peer's wire ended by itself, or because the peer broke the protocol; False: no peer of ours."""
        for peer in self.peers.values():
            if peer.wire is wire:
                offence = isinstance(reason, RemoteProtocolError)
                self._forget(peer, str(reason), offence=offence, now=now)
                return True
        return False

    # --- messages, called by the wires (PeerSink)

    def touch(self, peer: Peer) -> None:
        """Something about `peer` is to be settled at the end of the turn."""
        self._dirty[peer.number] = peer

    def on_choke(self, peer: Peer, now: float) -> None:
        """BEP 3; with the fast extension each request is rejected by its own message (BEP 6)."""
        peer.peer_choking = True
        if peer.pipeline is not None and not peer.fast:
            peer.wire.divert()
            peer.pipeline.give_up(forgive=True)
        self._touch_all()

    def on_unchoke(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_choking = False

    def on_interested(self, peer: Peer, now: float) -> None:
        """BEP 3: a free slot is given at once, the others wait for the next round."""
        peer.peer_interested = True
        if peer.am_choking:
            served = sum(not other.am_choking and other.peer_interested for other in self.peers.values())
            if served < self._shared.settings.upload_slots and self.download is not None:
                self._unchoke(peer)

    def on_not_interested(self, peer: Peer, now: float) -> None:
        """BEP 3."""
        peer.peer_interested = False

    def on_have(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 3."""
        peer.heard_pieces = True
        if self.download is None or peer.pieces is None:
            peer.early.haves[piece] = None
            if len(peer.early.haves) > CHOKED_MOST * METADATA_PIECE:
                raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"have {piece}")
            return
        if piece >= peer.pieces.size:
            raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"have {piece} of {peer.pieces.size}")
        if not peer.pieces.add(piece):
            return
        if not peer.counted_as_seed:
            self.download.picker.peer_gained(piece)
        if not peer.am_interested and piece in self.download.wanted and piece not in self.download.have:
            self._set_interest(peer, interested=True)
        self._part_if_both_seed(peer, now)

    def on_bitfield(self, peer: Peer, payload: bytes, now: float) -> None:
        """BEP 3: at most once, before anything else about pieces."""
        self._first_word(peer)
        if self.download is None or peer.pieces is None:
            peer.early.bitfield = payload
        else:
            self._set_pieces(peer, Bitfield.from_bytes(payload, self.download.geometry.piece_count), now)

    def on_have_all(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        self._first_word(peer)
        if self.download is None or peer.pieces is None:
            peer.early.have_all = True
        else:
            self._set_pieces(peer, Bitfield.full(self.download.geometry.piece_count), now)

    def on_have_none(self, peer: Peer, now: float) -> None:
        """BEP 6."""
        self._first_word(peer)

    def on_requests(self, peer: Peer, requests: list[tuple[int, int, int]], now: float) -> None:
        """BEP 3, BEP 6: each is queued, rejected, or an offence."""
        if self.download is None:
            raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, "a request before anything was offered")
        queue = peer.uploads
        geometry, have = self.download.geometry, self.download.have
        most = self._shared.settings.max_requests_queued
        allowed = not peer.am_choking
        for request in requests:
            verdict = admit(geometry, request, have=request[0] in have, allowed=allowed, queued=queue.queued, most=most)
            if verdict is Verdict.SERVE:
                queue.add(*request)
            elif verdict is Verdict.OFFENCE:
                raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, "request {}:{}+{}".format(*request))
            else:
                self._refuse(peer, request)
                allowed = not peer.am_choking

    def on_cancel(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 3; BEP 6 wants an answer: the block, or a reject."""
        if peer.uploads.cancel(piece, begin, length) and peer.fast:
            peer.wire.send_reject(piece, begin, length)

    def on_reject(self, peer: Peer, piece: int, begin: int, length: int, now: float) -> None:
        """BEP 6: somebody else is to be asked."""
        if peer.pipeline is None or begin % BLOCK or not peer.pipeline.rejected(piece, begin // BLOCK):
            raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"reject {piece}:{begin}+{length}")
        self._touch_all()

    def on_suggest(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: advice that we need not take."""

    def on_allowed_fast(self, peer: Peer, piece: int, now: float) -> None:
        """BEP 6: an offer that we need not take."""

    def on_port(self, peer: Peer, port: int, now: float) -> None:
        """BEP 5: it runs a DHT node; we do not."""

    def on_extended(self, peer: Peer, ext_id: int, payload: bytes, now: float) -> None:
        """BEP 10."""
        if ext_id == HANDSHAKE_EXT_ID:
            peer.says = ExtendedHandshake.parse(payload)
            if peer.says.request_queue is not None and peer.pipeline is not None:
                peer.pipeline.limit(peer.says.request_queue)
            if peer.incoming and peer.says.port is not None:
                self.peerbook.add(Address(peer.address.host, peer.says.port), Source.INCOMING, now)
        elif ext_id == UT_METADATA:
            self._on_metadata(peer, payload, now)

    # --- answers to effects, called by the core

    def disk_done(self, completion: Completion, now: float) -> None:
        """A disk job ended."""
        download, uploads = self.download, self.uploads
        if download is None or uploads is None:
            return
        if isinstance(completion, ExtentStored):
            download.extent_done(completion.job)
            self._touch_all()
        elif isinstance(completion, PieceChecked):
            self._piece_checked(completion.piece, good=completion.good, now=now)
        elif isinstance(completion, RunRead):
            reader = uploads.read(completion.job.ticket)
            if reader is not None:
                self.touch(reader)
        elif isinstance(completion.job, StoreExtent):
            download.extent_done(completion.job)
            self._storage_failed(completion.error, now)
        else:
            self._read_failed(completion, now)

    def http_done(self, url: str, body: bytes, now: float) -> None:
        """A tracker answered."""
        try:
            reply = parse_announce_reply(body)
        except TrackerError as error:
            self.http_failed(url, error, now)
            return
        self.trackers.answered(reply, now)
        if self.state is not TorrentState.PAUSED:
            self.add_candidates(reply.peers, Source.TRACKER, now)
        self._shared.events.append(TrackerAnswered(self.number, url, len(reply.peers), reply.warning))

    def http_failed(self, url: str, error: TrackerError, now: float) -> None:
        """A tracker did not answer, or refused."""
        wait = self.trackers.failed(error, now)
        self._shared.events.append(TrackerFailed(self.number, url, str(error), wait))

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        due = min(self._tick_due, self._starved_until)
        tracker = self.trackers.next_due()
        if tracker is not None:
            due = min(due, tracker)
        if self._may_dial():
            dial = self.peerbook.next_due()
            due = min(due, dial) if dial is not None else due
        return due if due != inf else None

    def advance(self, now: float) -> None:
        """Do what time demands."""
        if now >= self._starved_until:
            self._starved_until = inf
            self._touch_all()
        if now >= self._tick_due:
            self._tick(now)
        self._announce(now)
        self._dial(now)

    def settle(self, now: float) -> None:
        """End of a turn: ask, serve and store what this turn made possible."""
        download, uploads = self.download, self.uploads
        dirty, self._dirty = self._dirty, {}
        if download is None or uploads is None:
            for peer in dirty.values():
                self._ask_metadata(peer, now)
            return
        effects = self._shared.effects
        effects.extend(download.take_jobs())
        for asker, piece, block in download.assembly.take_superfluous():
            self._cancel(asker, piece, block)
        self._set_congestion(now)
        for peer in uploads.take_waiting():
            dirty[peer.number] = peer
        for peer in dirty.values():
            if peer.number in self.peers:
                self._top_up(peer, download, now)
                if peer.uploads.queued and not uploads.serve(peer, now):
                    self._starved_until = min(self._starved_until, self._shared.up.ready_at(now))
        effects.extend(uploads.take_jobs())

    # --- downloading

    def _top_up(self, peer: Peer, download: Download, now: float) -> None:
        pipeline = peer.pipeline
        if peer.peer_choking or not peer.am_interested or pipeline is None or peer.pieces is None:
            return
        if self.state is not TorrentState.ACTIVE or download.congested or not (pipeline.room or pipeline.snubbed):
            return
        bucket = self._shared.down
        most = bucket.available(now) / BLOCK
        if most <= 0:
            self._starved_until = min(self._starved_until, bucket.ready_at(now))
            return
        room = pipeline.room if most == inf else max(1, int(most))
        runs = download.ask(pipeline, peer.pieces, room, now)
        if not runs and not pipeline.outstanding:
            runs = self._endgame(peer, pipeline, download, now)
            if not runs:
                self._update_interest(peer)
        for run in runs:
            bucket.take(run.count * BLOCK)
            peer.wire.send_requests(run)

    def _endgame(self, peer: Peer, pipeline: Pipeline, download: Download, now: float) -> list[Run]:
        """Nothing is free and this peer is idle: let it race the slowest of the others."""
        if not download.endgame or pipeline.snubbed or peer.pieces is None:
            return []
        rivals = [p for p in self.peers.values() if p is not peer and p.pipeline is not None and p.pipeline.outstanding]
        for rival in sorted(rivals, key=lambda p: (p.down.rate(now), p.number)):
            assert rival.pipeline is not None
            rival.wire.divert()
            peer.wire.divert()
            runs = download.ask_too(pipeline, rival.pipeline, peer.pieces, pipeline.room, now)
            if runs:
                return runs
        return []

    def _cancel(self, asker: object, piece: int, block: int) -> None:
        assert self.download is not None
        for peer in self.peers.values():
            if peer.pipeline is asker:
                peer.wire.send_cancel(piece, block * BLOCK, self.download.geometry.block_length(piece, block))
                self.touch(peer)

    def _set_congestion(self, now: float) -> None:
        """Stop reading from peers while the disk is behind, so that memory does not grow."""
        assert self.download is not None
        if self.download.congested == self._congested:
            return
        self._congested = self.download.congested
        for peer in self.peers.values():
            if peer.pipeline is None:
                continue
            if self._congested and peer.pipeline.outstanding:
                peer.wire.pause()
            elif not self._congested:
                peer.wire.resume()
                peer.pipeline.heard_at = max(peer.pipeline.heard_at, now)  # it was not the peer that was silent

    def _piece_checked(self, piece: int, *, good: bool, now: float) -> None:
        download = self.download
        assert download is not None
        if piece not in download.assembly:
            return  # the storage failed in between and everything was begun anew
        senders = download.piece_checked(piece, good=good)
        if not good:
            self._shared.events.append(PieceFailed(self.number, piece))
            self._blame(senders, piece, now)
            self._touch_all()
            return
        self._shared.events.append(PieceStored(self.number, piece))
        for peer in self.peers.values():
            if peer.pieces is not None and piece not in peer.pieces:
                peer.wire.send_have(piece)
        if download.complete:
            self._on_complete(now)

    def _blame(self, senders: tuple[int, ...], piece: int, now: float) -> None:
        """Who sent a corrupt piece alone is banned at once; among several, each has a strike."""
        for number in senders:
            peer = self.peers.get(number)
            if peer is None:
                continue
            peer.strikes += 1
            if len(senders) == 1 or peer.strikes >= STRIKES:
                self.peerbook.ban(peer.address.host)
                peer.wire.close()
                error = RemoteProtocolError(Offence.CORRUPT_DATA, f"piece {piece}")
                self._forget(peer, str(error), offence=True, now=now)

    def _on_complete(self, now: float) -> None:
        self.trackers.completed()
        self._shared.events.append(Completed(self.number))
        for peer in list(self.peers.values()):
            self._update_interest(peer)
            self._part_if_both_seed(peer, now)

    def _storage_failed(self, error: StorageError, now: float) -> None:
        """Nothing more can be written: ask nobody, keep serving what is there, wait for `resume`."""
        download = self.download
        assert download is not None
        if self.state is not TorrentState.ACTIVE:
            return
        self.state = TorrentState.FAILED
        for peer in self.peers.values():
            if peer.pipeline is not None:
                peer.wire.divert()
                for piece, block, length in peer.pipeline.blocks_owed():
                    peer.wire.send_cancel(piece, block * BLOCK, length)
                peer.pipeline.give_up(forgive=True)
        self._shared.effects.extend(download.start_over())
        self._shared.events.append(StorageFailed(self.number, error))

    # --- uploading

    def _refuse(self, peer: Peer, request: tuple[int, int, int]) -> None:
        """BEP 6: say no; a peer that lacks the message is choked, which says no to everything."""
        if peer.am_choking:
            peer.uploads.refused += 1
            if peer.uploads.refused > CHOKED_MOST:
                raise RemoteProtocolError(Offence.REQUEST_FLOOD, f"{CHOKED_MOST} requests while choked")
        if peer.fast:
            peer.wire.send_reject(*request)
        elif not peer.am_choking:
            self._choke(peer)

    def _choke(self, peer: Peer) -> None:
        assert self.uploads is not None
        peer.am_choking = True
        peer.wire.send_choke()
        dropped = peer.uploads.clear()
        if peer.fast:  # BEP 6: a choke refuses nothing by itself
            for request in dropped:
                peer.wire.send_reject(*request)

    def _unchoke(self, peer: Peer) -> None:
        peer.am_choking = False
        peer.uploads.refused = 0
        peer.wire.send_unchoke()

    def _rechoke(self, now: float) -> None:
        download = self.download
        if download is None:
            return
        seeding = download.complete
        contenders = [
            Contender(
                number=peer.number,
                interested=peer.peer_interested,
                rate=(peer.up if seeding else peer.down).rate(now),
                snubbed=not seeding and peer.pipeline is not None and peer.pipeline.snubbed,
                age=now - peer.joined_at,
            )
            for peer in self.peers.values()
        ]
        slots = self._shared.settings.upload_slots
        lucky = self._lucky(contenders, slots, now)
        keep = rechoke(contenders, slots, lucky)
        for peer in self.peers.values():
            if peer.am_choking and peer.number in keep:
                self._unchoke(peer)
            elif not peer.am_choking and peer.number not in keep and peer.peer_interested:
                self._choke(peer)
            self.touch(peer)

    def _lucky(self, contenders: list[Contender], slots: int, now: float) -> int | None:
        """The optimistic unchoke: kept for its time, then drawn anew."""
        for peer in self.peers.values():
            if peer.optimistic_at and now - peer.optimistic_at < OPTIMISTIC_SECONDS and peer.peer_interested:
                return peer.number
        for peer in self.peers.values():
            peer.optimistic_at = 0.0
        drawn = optimistic(contenders, rechoke(contenders, slots - 1, None), self._rng)
        if drawn is not None:
            self.peers[drawn].optimistic_at = now
        return drawn

    def _read_failed(self, failed: DiskFailed, now: float) -> None:
        """What we promised can not be read: refuse it; the session is told and checks."""
        assert self.uploads is not None
        assert not isinstance(failed.job, StoreExtent)
        lost = self.uploads.failed(failed.job.ticket)
        if lost is not None:
            peer, piece, begin, length = lost
            for at in range(begin, begin + length, BLOCK):
                self._refuse(peer, (piece, at, min(BLOCK, begin + length - at)))
            self.touch(peer)
        self._shared.events.append(StorageFailed(self.number, failed.error))

    # --- metadata (BEP 9)

    def _ask_metadata(self, peer: Peer, now: float) -> None:
        ext_id = peer.says.extensions.get(NAME)
        if self._fetch is None or not ext_id or peer.number not in self.peers:
            return
        for piece in self._fetch.wants_from(peer.number, peer.says.metadata_size, now):
            peer.wire.send_extended(ext_id, MetadataRequest(piece).encode())

    def _on_metadata(self, peer: Peer, payload: bytes, now: float) -> None:
        message = parse_metadata_message(payload)
        if isinstance(message, MetadataRequest):
            self._serve_metadata(peer, message.piece)
        elif isinstance(message, MetadataReject) and self._fetch is not None:
            self._fetch.rejected(peer.number)
            self._touch_all()
        elif isinstance(message, MetadataData) and self._fetch is not None:
            raw = self._fetch.received(peer.number, message)
            if raw is not None:
                self._fetch = None
                self.state = TorrentState.READY
                self._shared.events.append(MetadataReceived(self.number, raw))
                return
            for number in self._fetch.take_liars():
                liar = self.peers.get(number)
                if liar is not None:
                    self.peerbook.ban(liar.address.host)
                    liar.wire.close()
                    self._forget(liar, Offence.BAD_METADATA.value, offence=True, now=now)
            self._touch_all()

    def _serve_metadata(self, peer: Peer, piece: int) -> None:
        ext_id = peer.says.extensions.get(NAME)
        if not ext_id:
            return
        raw = self.info.raw if self.info is not None else b""
        block = raw[piece * METADATA_PIECE : (piece + 1) * METADATA_PIECE]
        answer = MetadataData(piece, len(raw), block) if block else MetadataReject(piece)
        peer.wire.send_extended(ext_id, answer.encode())

    # --- peers

    def _refusal(self, handshake: Handshake, address: Address) -> str | None:
        if handshake.peer_id == self._shared.peer_id:
            return Offence.SELF_CONNECTION.value
        if self.state is TorrentState.PAUSED:
            return "the torrent is paused"
        if self.peerbook.banned(address.host):
            return "the address is banned"
        if any(peer.peer_id == handshake.peer_id for peer in self.peers.values()):
            return Offence.DUPLICATE_PEER.value
        if len(self.peers) >= self._shared.settings.max_peers:
            return "we have as many peers as we want"
        return None

    def _equip(self, peer: Peer) -> None:
        """Give a peer what it needs to exchange pieces, as soon as the torrent's geometry is known."""
        if self.download is None:
            peer.wire.land_nowhere(self, peer, self.touch)
            return
        peer.pieces = Bitfield(self.download.geometry.piece_count)
        peer.pipeline = self.download.pipeline(peer.number)
        if peer.says.request_queue is not None:
            peer.pipeline.limit(peer.says.request_queue)
        peer.wire.land(self, peer, peer.pipeline, self.touch)

    def _replay(self, peer: Peer, now: float) -> None:
        """What the peer said of its pieces before we knew the metadata."""
        early = peer.early
        try:
            if early.have_all:
                self._set_pieces(peer, Bitfield.full(self._piece_count()), now)
            elif early.bitfield is not None:
                self._set_pieces(peer, Bitfield.from_bytes(early.bitfield, self._piece_count()), now)
            for piece in early.haves:
                if peer.number in self.peers:
                    self.on_have(peer, piece, now)
        except RemoteProtocolError as error:
            peer.wire.close()
            self._forget(peer, str(error), offence=True, now=now)
        self.touch(peer)

    def _piece_count(self) -> int:
        if self.download is None:
            raise LocalProtocolError("the metadata is not known yet")
        return self.download.geometry.piece_count

    def _first_word(self, peer: Peer) -> None:
        if peer.heard_pieces:
            raise RemoteProtocolError(Offence.LATE_BITFIELD)
        peer.heard_pieces = True

    def _set_pieces(self, peer: Peer, pieces: Bitfield, now: float) -> None:
        assert self.download is not None
        peer.pieces = pieces
        if pieces.complete:
            peer.counted_as_seed = True
        else:
            for piece in pieces:
                self.download.picker.peer_gained(piece)
        self._update_interest(peer)
        self._part_if_both_seed(peer, now)

    def _update_interest(self, peer: Peer) -> None:
        if self.download is not None and peer.pieces is not None:
            interested = self.download.interesting(peer.pieces)
            if interested != peer.am_interested:
                self._set_interest(peer, interested=interested)

    def _set_interest(self, peer: Peer, *, interested: bool) -> None:
        peer.am_interested = interested
        peer.wire.send_interest(interested=interested)

    def _part_if_both_seed(self, peer: Peer, now: float) -> None:
        if peer.is_seed and self.download is not None and self.download.have.complete:
            self._drop(peer, "both sides have everything", now)

    def _drop(self, peer: Peer, reason: str, now: float) -> None:
        """End a connection for a reason of our own."""
        peer.wire.close()
        self._forget(peer, reason, offence=False, now=now)

    def _forget(self, peer: Peer, reason: str, *, offence: bool, now: float) -> None:
        if self.peers.pop(peer.number, None) is None:
            return
        self._dirty.pop(peer.number, None)
        useful = False
        if peer.pipeline is not None and self.download is not None and peer.pieces is not None:
            peer.pipeline.give_up(forgive=False)
            self._gone_counted += peer.pipeline.arrived
            useful = peer.pipeline.arrived > 0
            if not peer.counted_as_seed:
                for piece in peer.pieces:
                    self.download.picker.peer_lost(piece)
        if self.uploads is not None:
            self.uploads.forget(peer)
        if self._fetch is not None:
            self._fetch.lost(peer.number)
        self.peerbook.ended(peer.address, now, useful=useful or peer.uploads.sent > 0)
        self._touch_all()
        if not self.peers:
            self._tick_due = inf
            if self.left_bytes:
                self.trackers.hurry(now)
        self._shared.events.append(PeerDropped(self.number, peer.address, reason, offence))

    def _touch_all(self) -> None:
        self._dirty.update(self.peers)

    # --- what time demands

    def _tick(self, now: float) -> None:
        self._tick_due = now + TICK_SECONDS
        for peer in list(self.peers.values()):
            peer.wire.keep_up(now)
            if peer.number not in self.peers:
                continue
            peer.measure(now)
            pipeline = peer.pipeline
            if pipeline is None or not pipeline.outstanding:
                continue
            pipeline.steer(peer.down.rate(now))
            silent = now - pipeline.heard_at
            if silent >= self._shared.settings.request_timeout_seconds and not self._congested:
                pipeline.snubbed = True
                peer.wire.divert()
                pipeline.give_up(forgive=True)
                self._touch_all()
        self.down.add(self.downloaded - self._down_counted, now)
        self._down_counted = self.downloaded
        self.up.add(self.uploaded - self._up_counted, now)
        self._up_counted = self.uploaded
        if now >= self._rechoke_due:
            self._rechoke_due = now + RECHOKE_SECONDS
            self._rechoke(now)
        if self._fetch is not None:
            self._touch_all()

    def _may_dial(self) -> bool:
        settings = self._shared.settings
        return (
            self.state in (TorrentState.ACTIVE, TorrentState.METADATA)
            and len(self._dialing) < settings.max_dials
            and len(self.peers) + len(self._dialing) < settings.max_peers
        )

    def _dial(self, now: float) -> None:
        while self._may_dial():
            candidate = self.peerbook.next(now)
            if candidate is None:
                return
            ticket = self._shared.next_ticket()
            self._dialing[ticket] = candidate.address
            self._shared.effects.append(Connect(ticket, self.number, candidate.address))

    def _announce(self, now: float) -> None:
        shared = self._shared
        while (wish := self.trackers.next(now)) is not None:
            request = AnnounceRequest(
                info_hash=self.wire_hash,
                peer_id=shared.peer_id,
                port=shared.settings.listen_port,
                uploaded=self.uploaded,
                downloaded=self.downloaded,
                left=self.left_bytes,
                event=wish.event,
                numwant=0 if wish.goodbye else None,
                tracker_id=wish.tracker_id,
            )
            seconds = GOODBYE_SECONDS if wish.goodbye else TRACKER_SECONDS
            try:
                url = announce_url(wish.url, request)
            except TrackerError as error:
                self.http_failed(wish.url, error, now)
                continue
            shared.effects.append(HttpGet(shared.next_ticket(), self.number, url, wish.url, 2 << 20, seconds))
