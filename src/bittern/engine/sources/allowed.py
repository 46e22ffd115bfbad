"""Which sources of peers a torrent may use: decided here and nowhere else (BEP 27)."""

from typing import Protocol

from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source

_ALWAYS = frozenset({Source.MANUAL, Source.INCOMING})


class Marked(Protocol):
    """What says whether a torrent is private; its Info does."""

    @property
    def private(self) -> bool | None:
        """None while it is not known."""
        ...


def sources_for(info: Marked | None, settings: EngineSettings) -> frozenset[Source]:
    """Who may name peers of a torrent, and be told of it.

    A private torrent belongs to its trackers: nobody else is asked, told, or believed, but the user's own word counts,
    and so do peers that come to us (BEP 27). Addresses of an earlier run are not used, whoever had named them. What
    serves bytes instead of naming peers (web seeds, BEP 19) is no matter of this function.

    Args:
        info: what the torrent is made of; None while a magnet link's metadata is unknown, which it can only learn
            from peers: until then it is no private torrent.
        settings: what the user wants to be used at all.
    """
    if info is not None and info.private:
        wanted: tuple[tuple[Source, bool], ...] = ((Source.TRACKER, settings.use_trackers),)
    else:
        wanted = (
            (Source.TRACKER, settings.use_trackers),
            (Source.DHT, settings.use_dht),
            (Source.PEX, settings.use_pex),
            (Source.LSD, settings.use_lsd),
            (Source.RESUME, True),
        )
    return _ALWAYS | {source for source, use in wanted if use}
