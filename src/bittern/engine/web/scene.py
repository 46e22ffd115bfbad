"""What the connections of one torrent to its web seeds share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.engine.download.download import Download
from bittern.engine.swarm.lanes import Lanes
from bittern.engine.world import Shared
from bittern.wire.webseed import WebLayout

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Surroundings of a connection.

    Attributes:
        torrent: its number.
        wire_hash: what it is known by.
        info: its metadata.
        layout: where its files are on a server.
        download: what they bring is for.
        shared: surroundings of the torrent.
        limits: of the torrent.
        rng: where runs begin.
        stir: something is to be settled at the end of the turn.
        offer: there is something that peers may be asked for.
        alone: whether there are no peers.
    """

    torrent: int
    wire_hash: InfoHashV1
    info: Info
    layout: WebLayout
    download: Download
    shared: Shared
    limits: Lanes
    rng: "Random"
    stir: Callable[[], None]
    offer: Callable[[], None]
    alone: Callable[[], bool]
