"""Where the peers of a torrent are looked for, and who named some: in words for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from bittern.session.session import Session
from bittern.session.torrent import Torrent

from .output import counted

_FROM = {
    "tracker": "trackers",
    "dht": "the DHT",
    "pex": "other peers",
    "lsd": "the local network",
    "resume": "an earlier run",
}
"""Those who name peers; what the user named, and who came by himself, is no news to anybody."""


@dataclass(frozen=True, slots=True)
class Search:
    """How peers are looked for at one moment.

    Attributes:
        asked: whom, as in "2 trackers"; empty where there is nobody to ask.
        found: how many addresses are known from whom; see `Torrent.found_by`.
        unused: a flag that keeps somebody from being asked, with whom.
        mute: whether nobody in the internet who was asked has ever answered.
    """

    asked: Sequence[str] = ()
    found: Mapping[str, int] = field(default_factory=dict)
    unused: str = ""
    mute: bool = False

    @classmethod
    def of(cls, torrent: Torrent, session: Session) -> Self:
        """That for a torrent of a session."""
        settings = session.settings
        private = torrent.info is not None and torrent.info.private
        trackers = sum(tracker.supported for tracker in torrent.trackers) if settings.use_trackers else 0
        asked = [counted(trackers, "tracker")] if trackers else []
        in_dht = session.searches_dht and not private
        if in_dht:
            asked.append("the DHT")
        if session.searches_locally and not private:
            asked.append("the local network")
        if torrent.info is None and (urls := torrent.torrent_urls):
            asked.append(f"{'the web server' if len(urls) == 1 else 'the web servers'} of the link")
        unused = "" if settings.dht or private else "the DHT, without --no-dht"
        failing = [tracker.message is not None for tracker in torrent.trackers if tracker.supported and trackers]
        mute = all(failing) and not (in_dht and session.dht.nodes) and bool(failing or in_dht)
        return cls(tuple(asked), torrent.found_by, unused, mute)

    @property
    def words(self) -> str:
        """Whom is asked, as in "2 trackers, the DHT and the local network"."""
        *most, last = self.asked or ("",)
        return f"{', '.join(most)} and {last}" if most else last

    def advice(self, known: int) -> str:
        """Why there may be no peer for long, and what to do.

        Args:
            known: how many addresses of peers are known.
        """
        if known:
            return "they may be gone or behind routers, or a firewall here may be in the way"
        if self.mute:
            return "nobody asked answers either: is this machine online?"
        if self.unused:
            return f"ask {self.unused}, too"
        return "perhaps nobody shares it now; somebody who does can be named with --peer HOST:PORT"


NOWHERE = Search()
"""Nobody is asked."""


class Finds:
    """Notices when somebody names peers for the first time."""

    def __init__(self) -> None:
        self._said: frozenset[str] = frozenset()

    def line(self, found: Mapping[str, int]) -> str | None:
        """What to say now, or None: who named how many, when somebody is new among them."""
        known = [source for source in _FROM if found.get(source)]
        if self._said.issuperset(known):
            return None
        self._said |= frozenset(known)
        return "addresses of peers: " + ", ".join(f"{found[source]} from {_FROM[source]}" for source in known)
