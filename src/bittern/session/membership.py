"""One torrent's place in the core: how it gets its swarm, is silent in it, and leaves it."""

import asyncio
from collections.abc import Mapping, Sequence

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent as Swarm

from .content import Content
from .identity import Identity
from .options import AddOptions
from .surroundings import Listener, Surroundings

DRAIN_SECONDS = 30.0
_DRAIN_STEP_SECONDS = 0.01


class Membership:
    """A torrent's swarm, while it has one.

    Args:
        identity: who it is.
        options: how to treat it.
        listener: is told what happens in the swarm.
        surroundings: with the core.
    """

    def __init__(self, identity: Identity, options: AddOptions, listener: Listener, surroundings: Surroundings) -> None:
        self.swarm: Swarm | None = None
        self._identity = identity
        self._options = options
        self._listener = listener
        self._surroundings = surroundings
        self._layers: asyncio.Future[Mapping[bytes, bytes]] | None = None  # is waited for

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """Trackers that are asked."""
        return self._identity.tiers if self._surroundings.settings.use_trackers else ()

    def enter(self) -> Swarm:
        """The swarm, entered if it was not yet: peers are found, and asked for the metadata if it is unknown."""
        if self.swarm is None:
            runtime, source = self._surroundings.runtime, self._identity.source
            now = runtime.now()
            self.swarm = runtime.core.add(self._identity.info_hash, self.tiers, now, self._identity.own_trackers)
            if isinstance(source, Magnet):
                runtime.core.also_called(self.swarm, source.info_hash_v1, source.info_hash_v2)
            self._surroundings.listeners[self.swarm.number] = self._listener
            self._options.limits.apply(self.swarm)
            if self._surroundings.settings.web_connections:
                self.swarm.web.add(self._identity.web_seeds)
            self.swarm.add_candidates(self._options.addresses, Source.MANUAL, now)
            self.swarm.add_candidates(self._options.heard, Source.TRACKER, now)
            runtime.turn.soon()
        return self.swarm

    async def fetch_layers(self, info: Info) -> Mapping[bytes, bytes]:
        """The piece layers of `info`, from peers: nothing else is asked of them before `begin` (BEP 52)."""
        swarm = self.enter()
        self._layers = asyncio.get_running_loop().create_future()
        swarm.seek_layers(info, self._identity.layers, self._surroundings.runtime.now())
        self._surroundings.runtime.turn.soon()
        return await self._layers

    def layers_came(self, rows: Mapping[bytes, bytes]) -> None:
        """The piece layers are there."""
        self._identity.layers = rows
        if self._layers is not None and not self._layers.done():
            self._layers.set_result(rows)

    def tell_more(self) -> None:
        """More is known of the torrent than when its swarm was entered: trackers and web seeds."""
        if self.swarm is not None:
            runtime = self._surroundings.runtime
            self.swarm.add_trackers([url for tier in self.tiers for url in tier], runtime.now())
            if self._surroundings.settings.web_connections:
                self.swarm.web.add(self._identity.web_seeds)
            runtime.turn.soon()

    def begin(self, content: Content, have: Bitfield, peers: Sequence[Address] = ()) -> Swarm:
        """Exchange pieces from now on.

        Args:
            content: the files.
            have: pieces that are in them.
            peers: where some of the swarm were found before.
        """
        runtime, info = self._surroundings.runtime, content.info
        swarm = self.enter()
        runtime.disk.attach(swarm.number, content.storage)
        runtime.core.also_called(swarm, info.info_hash_v1, info.info_hash_v2)
        if self._options.super_seed:
            swarm.super_seed()
        swarm.begin(info, have, content.wanted, runtime.now(), self._identity.layers)
        if swarm.left_bytes:  # else who wants something of us knows where we are
            swarm.add_candidates(peers, Source.RESUME, runtime.now())
        return swarm

    def admit(self, swarm: Swarm) -> None:
        """Let those in who called while files were checked."""
        runtime = self._surroundings.runtime
        runtime.core.admit_callers(swarm, runtime.now())
        runtime.turn.soon()

    def hush(self) -> None:
        """End its connections and say goodbye to its trackers."""
        if self.swarm is not None:
            self.swarm.pause(self._surroundings.runtime.now())
            self._surroundings.runtime.turn.soon()

    def speak(self) -> None:
        """Take part again."""
        if self.swarm is not None:
            runtime = self._surroundings.runtime
            self.swarm.resume(runtime.now())
            runtime.core.search_locally(runtime.now())
            runtime.turn.soon()

    def prioritize(self, info: Info, swarm: Swarm) -> None:
        """Want files as much as the options say from now on."""
        swarm.prioritize(self._options.file_priorities(info), self._surroundings.runtime.now())
        self._surroundings.runtime.turn.soon()

    def set_deadline(self, swarm: Swarm, piece: int, seconds: float | None) -> None:
        """Need a piece within so many seconds; None for at no time any more."""
        runtime = self._surroundings.runtime
        swarm.set_deadline(piece, None if seconds is None else runtime.now() + seconds)
        runtime.turn.soon()

    def apply_limits(self) -> None:
        """Hold the swarm to the limits in the options from now on."""
        if self.swarm is not None:
            self._options.limits.apply(self.swarm)
            self._surroundings.runtime.turn.soon()

    async def leave(self) -> Swarm | None:
        """Leave the core: no byte is written after this. The swarm that was left, or None."""
        self.hush()
        swarm, self.swarm = self.swarm, None
        if swarm is None:
            return None
        try:
            await drain(swarm)
        except BaseException:
            self.swarm = swarm  # not yet, then
            raise
        self._surroundings.listeners.pop(swarm.number, None)
        self._surroundings.runtime.remove(swarm)
        return swarm

    def sleep(self, listener: Listener | None) -> None:
        """Be without a swarm in memory from now on.

        Args:
            listener: stays reachable, and is told what happens from now on; None for who is not reachable.
        """
        swarm, self.swarm = self.swarm, None
        if swarm is None:
            return
        if listener is not None:
            self._surroundings.listeners[swarm.number] = listener
            self._surroundings.runtime.lull(swarm)
        else:
            self._surroundings.listeners.pop(swarm.number, None)
            self._surroundings.runtime.remove(swarm)


async def drain(swarm: Swarm) -> None:
    """Wait until the disk has done what a swarm gave it."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + DRAIN_SECONDS
    while swarm.download is not None and swarm.download.at_disk:
        if loop.time() > give_up_at:
            return
        await asyncio.sleep(_DRAIN_STEP_SECONDS)
