"""bittern: a BitTorrent engine in plain Python, as a typed asyncio library and a command line.

The names below are loaded when they are first used, so that `import bittern` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .base.address import Address as Address
    from .base.errors import AlreadyAddedError as AlreadyAddedError
    from .base.errors import BencodeError as BencodeError
    from .base.errors import BitternError as BitternError
    from .base.errors import CheckCancelledError as CheckCancelledError
    from .base.errors import IpListError as IpListError
    from .base.errors import LocalProtocolError as LocalProtocolError
    from .base.errors import MagnetError as MagnetError
    from .base.errors import MetainfoError as MetainfoError
    from .base.errors import MoveCancelledError as MoveCancelledError
    from .base.errors import NetworkError as NetworkError
    from .base.errors import NoSuchTorrentError as NoSuchTorrentError
    from .base.errors import Offence as Offence
    from .base.errors import ProtocolError as ProtocolError
    from .base.errors import SessionError as SessionError
    from .base.errors import StorageError as StorageError
    from .base.errors import ThreadLimitError as ThreadLimitError
    from .base.errors import TrackerError as TrackerError
    from .base.geometry import Geometry as Geometry
    from .base.ids import InfoHashV1 as InfoHashV1
    from .base.ids import InfoHashV2 as InfoHashV2
    from .base.ids import PeerId as PeerId
    from .base.transport import Transport as Transport
    from .codec import bencode as bencode
    from .codec.magnet import Magnet as Magnet
    from .codec.metainfo import File as File
    from .codec.metainfo import Info as Info
    from .codec.metainfo import Metainfo as Metainfo
    from .engine.nat.lease import Lease as Lease
    from .engine.swarm.classes import PeerClass as PeerClass
    from .session import dht as dht
    from .session import events as events
    from .session import sync as sync
    from .session.download import download as download
    from .session.goals import AtGoal as AtGoal
    from .session.goals import Goal as Goal
    from .session.limits import Limits as Limits
    from .session.queue import Places as Places
    from .session.session import Session as Session
    from .session.settings import Settings as Settings
    from .session.status import IpFilterStatus as IpFilterStatus
    from .session.status import PeerStatus as PeerStatus
    from .session.status import State as State
    from .session.status import Status as Status
    from .session.status import StatusChanges as StatusChanges
    from .session.status import TrackerStatus as TrackerStatus
    from .session.status import WebSeedStatus as WebSeedStatus
    from .session.torrent import Torrent as Torrent
    from .wire.pcp import Carrier as Carrier

_PLACES = {
    "Address": "base.address",
    "AlreadyAddedError": "base.errors",
    "BencodeError": "base.errors",
    "BitternError": "base.errors",
    "CheckCancelledError": "base.errors",
    "IpListError": "base.errors",
    "LocalProtocolError": "base.errors",
    "MagnetError": "base.errors",
    "MetainfoError": "base.errors",
    "MoveCancelledError": "base.errors",
    "NetworkError": "base.errors",
    "NoSuchTorrentError": "base.errors",
    "Offence": "base.errors",
    "ProtocolError": "base.errors",
    "SessionError": "base.errors",
    "StorageError": "base.errors",
    "ThreadLimitError": "base.errors",
    "TrackerError": "base.errors",
    "Geometry": "base.geometry",
    "InfoHashV1": "base.ids",
    "InfoHashV2": "base.ids",
    "PeerId": "base.ids",
    "Transport": "base.transport",
    "Magnet": "codec.magnet",
    "File": "codec.metainfo",
    "Info": "codec.metainfo",
    "Metainfo": "codec.metainfo",
    "Lease": "engine.nat.lease",
    "PeerClass": "engine.swarm.classes",
    "download": "session.download",
    "AtGoal": "session.goals",
    "Goal": "session.goals",
    "Limits": "session.limits",
    "Places": "session.queue",
    "Session": "session.session",
    "Settings": "session.settings",
    "IpFilterStatus": "session.status",
    "PeerStatus": "session.status",
    "State": "session.status",
    "Status": "session.status",
    "StatusChanges": "session.status",
    "TrackerStatus": "session.status",
    "WebSeedStatus": "session.status",
    "Torrent": "session.torrent",
    "Carrier": "wire.pcp",
}
_MODULES = {"bencode": "codec.bencode", "dht": "session.dht", "events": "session.events", "sync": "session.sync"}

__all__ = [
    "Address",
    "AlreadyAddedError",
    "AtGoal",
    "BencodeError",
    "BitternError",
    "Carrier",
    "CheckCancelledError",
    "File",
    "Geometry",
    "Goal",
    "Info",
    "InfoHashV1",
    "InfoHashV2",
    "IpFilterStatus",
    "IpListError",
    "Lease",
    "Limits",
    "LocalProtocolError",
    "Magnet",
    "MagnetError",
    "Metainfo",
    "MetainfoError",
    "MoveCancelledError",
    "NetworkError",
    "NoSuchTorrentError",
    "Offence",
    "PeerClass",
    "PeerId",
    "PeerStatus",
    "Places",
    "ProtocolError",
    "Session",
    "SessionError",
    "Settings",
    "State",
    "Status",
    "StatusChanges",
    "StorageError",
    "ThreadLimitError",
    "Torrent",
    "TrackerError",
    "TrackerStatus",
    "Transport",
    "WebSeedStatus",
    "__version__",
    "bencode",
    "dht",
    "download",
    "events",
    "sync",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found: Any = import_module(f".{_MODULES[name]}", __name__)
    elif name in _PLACES:
        found = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
