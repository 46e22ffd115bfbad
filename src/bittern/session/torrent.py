"""The handle of one torrent: what users of the library hold."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bittern.base.errors import NoSuchTorrentError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import File, Info

from .events import Event, EventStream
from .life import Life
from .status import TROUBLED, State, Status, TrackerStatus


class Torrent:
    """A torrent of a session; made by `Session.add`.

    What is read is read without waiting. Where a method waits, its cancellation changes nothing.
    """

    def __init__(self, life: Life) -> None:
        self._life = life

    def __repr__(self) -> str:
        return f"<Torrent {self.info_hash} {self._life.state.value}>"

    @property
    def info_hash(self) -> InfoHashV1:
        """What handshakes and trackers carry: SHA-1, or SHA-256 truncated (BEP 52)."""
        return self._life.info_hash

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        source = self._life.source
        if self._life.info is not None:
            return self._life.info.name
        return (source.name if isinstance(source, Magnet) else None) or str(self.info_hash)

    @property
    def info(self) -> Info | None:
        """What it is made of; None while that is unknown."""
        return self._life.info

    @property
    def files(self) -> tuple[File, ...]:
        """Its files without pads, in the order that `select` counts; empty while they are unknown."""
        info = self._life.info
        return tuple([file for file in info.files if not file.pad]) if info is not None else ()

    @property
    def path(self) -> Path | None:
        """The file, or the root folder; None while the name is unknown."""
        options, info = self._life.options, self._life.info
        return options.content or (options.save_path / info.name if info is not None else None)

    @property
    def trackers(self) -> tuple[TrackerStatus, ...]:
        """Its trackers, in the order they are asked; those of protocols that are not spoken come last."""
        swarm = self._life.swarm
        if swarm is None:
            return ()
        known = [TrackerStatus(state.url, state.failures, state.message) for state in swarm.trackers.trackers]
        unsupported = [TrackerStatus(url, 0, None, supported=False) for url in swarm.trackers.unsupported]
        return (*known, *unsupported)

    @property
    def status(self) -> Status:
        """How it is right now."""
        life, now = self._life, time.monotonic()
        swarm, counters = life.swarm, life.journal.counters
        if swarm is None:
            return Status(
                state=life.state,
                name=self.name,
                done_bytes=life.done_bytes,
                total_bytes=life.content.total_bytes if life.content is not None else 0,
                downloaded=counters.downloaded,
                uploaded=counters.uploaded,
                check=life.inspection.progress,
                check_paused=life.inspection.pace is not None and life.inspection.pace.paused,
                error=life.error,
            )
        total = life.content.total_bytes if life.content is not None else 0
        rate = swarm.down.rate(now)
        left = total - life.done_bytes
        return Status(
            state=life.state,
            name=self.name,
            done_bytes=life.done_bytes,
            total_bytes=total,
            down_rate=rate,
            up_rate=swarm.up.rate(now),
            peers=len(swarm.peers),
            seeds=sum(peer.is_seed for peer in swarm.peers.values()),
            known_peers=len(swarm.peerbook),
            eta_seconds=left / rate if rate >= 1 and total else None,
            downloaded=counters.downloaded + swarm.downloaded,
            uploaded=counters.uploaded + swarm.uploaded,
            corrupt_bytes=swarm.download.corrupt if swarm.download is not None else 0,
            check=life.inspection.progress,
            check_paused=life.inspection.pace is not None and life.inspection.pace.paused,
            complete=life.complete,
            error=life.error,
        )

    def events(self, *kinds: type[Event]) -> EventStream:
        """What happens from now on: `async for event in torrent.events()`. Ends with the torrent or the session.

        Args:
            kinds: classes of events that are wanted; none for all.
        """
        return self._life.publisher.stream(kinds)

    async def metadata(self) -> Info:
        """Wait until it is known what the torrent is made of.

        Raises:
            BitternError: what made the torrent fail.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        await self._until(lambda: self._life.info is not None)
        assert self._life.info is not None
        return self._life.info

    async def checked(self) -> None:
        """Wait until it is known what is on the disk.

        Raises:
            BitternError: what made the torrent fail.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        await self._until(lambda: self._life.state not in (State.CHECKING, State.METADATA, *TROUBLED))

    async def completed(self) -> None:
        """Wait until every wanted byte is in the files.

        Raises:
            BitternError: what made the torrent fail. After a full disk it is tried again all the same.
            NoSuchTorrentError: it was removed, or the session closed.
        """
        await self._until(lambda: self._life.complete)

    async def pause(self) -> None:
        """Leave the swarm; a check goes on."""
        self._life.pause()

    async def resume(self) -> None:
        """Join the swarm again, also after a failure or a seed goal."""
        self._life.resume()

    def set_file_priorities(self, priorities: Mapping[int, int]) -> None:
        """Want files more or less than others, at any time once the metadata is known.

        Args:
            priorities: by numbers from 0 into `files`: 0 for not at all, 1 to 7, the highest first; 4 is the rule.
                Files that are not named keep what they had.

        Raises:
            SessionError: no such file or priority, or the files are not known yet.
        """
        self._life.prioritize(priorities)

    async def recheck(self) -> None:
        """Hash everything that is there; returns when that is done. What is not there is fetched again."""
        await self._life.recheck()

    def set_limits(
        self,
        *,
        down: float | None = None,
        up: float | None = None,
        peer_down: float | None = None,
        peer_up: float | None = None,
    ) -> None:
        """Hold the torrent to limits from now on; those of its group and of the session hold beside them.

        Args:
            down: bytes of content per second from all peers together; `math.inf` for no limit, None for no change.
            up: bytes of content per second to all peers together, likewise.
            peer_down: bytes of content per second from each peer, likewise.
            peer_up: bytes of content per second to each peer, likewise.

        Raises:
            SessionError: one is negative, or nothing could ever be downloaded.
        """
        self._life.options.limits.update(down, up, peer_down, peer_up)
        self._life.apply_limits()

    @property
    def group(self) -> str | None:
        """The group whose limits it shares (see `Session.group`), or None."""
        return self._life.options.limits.group

    def join(self, group: str | None) -> None:
        """Share the limits of a group of torrents from now on; None to leave the one it is in."""
        self._life.options.limits.group = group
        self._life.apply_limits()

    async def pause_check(self) -> None:
        """Let a check that goes on read nothing more until `resume_check`."""
        if self._life.inspection.pace is not None:
            self._life.inspection.pace.pause()

    async def resume_check(self) -> None:
        """Let a check go on where it was paused."""
        if self._life.inspection.pace is not None:
            self._life.inspection.pace.resume()

    async def cancel_check(self) -> None:
        """End a check that goes on.

        After a recheck, what was believed before is believed again. A first check leaves the torrent FAILED, with
        CheckCancelledError, until `resume` or `recheck`.
        """
        if self._life.inspection.pace is not None:
            self._life.inspection.pace.cancel()

    async def _until(self, reached: Callable[[], bool]) -> None:
        life = self._life
        while not reached():
            if life.state in TROUBLED and life.error is not None:
                raise life.error
            if life.publisher.ended:
                raise NoSuchTorrentError(f"{self.name} is not in the session any more")
            await life.publisher.change()
