"""A tracker in memory (BEP 3, 15, 23): a site of the simulated web, and a service that answers datagrams."""

from dataclasses import dataclass
from enum import Enum, unique
from urllib.parse import unquote_to_bytes, urlsplit

from bittern.base.address import Address, compact
from bittern.base.errors import TrackerError
from bittern.codec.bencode import encode
from bittern.wire.announce import AnnounceReply, ScrapeEntry
from bittern.wire.tracker_udp import (
    Announced,
    Connect,
    Connected,
    Refused,
    Scrape,
    Scraped,
    encode_reply,
    parse_request,
)
from bittern.wire.tracker_udp import (
    Reply as UdpReply,
)

from .host import Host
from .http import Reply, Web
from .udp import Services
from .world import World

DEFAULT_NUMWANT = 50
"""Peers of an answer when the client names no number."""
UDP_ADDRESS = Address("198.51.100.1", 6969)
"""Where the service is that answers datagrams."""
CONNECTION_SECONDS = 120.0
"""A connection id is taken for so long (BEP 15)."""


@unique
class Mood(Enum):
    """How a tracker answers."""

    WELL = "answers"
    REFUSING = "answers with a failure reason"
    BROKEN = "answers with status 500 and no bencode"
    SILENT = "takes requests and never answers"
    GONE = "refuses connections"


@dataclass(frozen=True, slots=True)
class Announce:
    """One announce as it came.

    Attributes:
        now: when it came.
        host: name of the host that sent it.
        info_hash: the torrent.
        peer_id: who it said it is.
        event: `started`, `completed`, `stopped` or empty.
        uploaded, downloaded, left: bytes, as it said.
    """

    now: float
    host: str
    info_hash: bytes
    peer_id: bytes
    event: str
    uploaded: int
    downloaded: int
    left: int


@dataclass(frozen=True, slots=True)
class _Member:
    address: Address
    left: int


class SimTracker:
    """Names the members of swarms to each other.

    Attributes:
        url: where to announce.
        udp_url: where to announce by datagrams.
        interval: seconds that clients are told to wait.
        mood: how it answers.
        log: every announce that it understood, in order.
    """

    def __init__(
        self,
        world: World,
        web: Web,
        name: str = "tracker.sim",
        interval: int = 1800,
        services: Services | None = None,
    ) -> None:
        self.url = f"http://{name}/announce"
        self.udp_url = f"udp://{name}:{UDP_ADDRESS.port}/announce"
        self.interval = interval
        self.log: list[Announce] = []
        self._name = name
        self._mood = Mood.WELL
        self._web = web
        self._world = world
        self._rng = world.chance(name).rng_for("peers")
        self._swarms: dict[bytes, dict[bytes, _Member]] = {}
        self._connections: dict[int, tuple[str, float]] = {}  # who has each, and since when
        web.sites[name] = self._answer
        if services is not None:
            services.at[UDP_ADDRESS] = self._answer_datagram
            services.names[name] = (UDP_ADDRESS.host,)

    @property
    def mood(self) -> Mood:
        """How it answers."""
        return self._mood

    @mood.setter
    def mood(self, mood: Mood) -> None:
        self._mood = mood
        self._web.sites.pop(self._name, None)
        if mood is not Mood.GONE:
            self._web.sites[self._name] = self._answer

    def members(self, info_hash: bytes) -> int:
        """How many are in the swarm."""
        return len(self._swarms.get(info_hash, {}))

    def _answer(self, host: Host, url: str) -> Reply | None:
        match self._mood:
            case Mood.SILENT:
                return None
            case Mood.BROKEN:
                return Reply(500, b"<html>Internal Server Error</html>")
            case Mood.REFUSING:
                return Reply(200, encode({"failure reason": "not today"}))
        try:
            return Reply(200, encode(self._announce(host, _query(url))))
        except (KeyError, ValueError) as error:
            return Reply(200, encode({"failure reason": f"senseless announce: {error}"}))

    def _announce(self, host: Host, query: dict[str, bytes]) -> dict[str, object]:
        said = Announce(
            self._world.now,
            host.name,
            query["info_hash"],
            query["peer_id"],
            query.get("event", b"").decode(),
            int(query["uploaded"]),
            int(query["downloaded"]),
            int(query["left"]),
        )
        if len(said.info_hash) != 20 or len(said.peer_id) != 20 or said.left < 0:
            raise ValueError("info_hash, peer_id or left")
        numwant = int(query.get("numwant", b"%d" % DEFAULT_NUMWANT))
        peers = self._join(said, Address(host.address.host, int(query["port"])), numwant)
        seeds, leechers = self._counts(said.info_hash)
        return {"interval": self.interval, "complete": seeds, "incomplete": leechers, "peers": compact(peers)[0]}

    def _join(self, said: Announce, address: Address, numwant: int) -> list[Address]:
        """Note an announce; peers for whoever made it."""
        self.log.append(said)
        swarm = self._swarms.setdefault(said.info_hash, {})
        swarm.pop(said.peer_id, None)
        others = list(swarm.values())
        if said.event != "stopped":
            swarm[said.peer_id] = _Member(address, said.left)
        if not said.left:
            others = [member for member in others if member.left]
        wanted = min(numwant, len(others))
        chosen = self._rng.sample(others, max(0, wanted)) if said.event != "stopped" else []
        return [member.address for member in chosen]

    def _counts(self, info_hash: bytes) -> tuple[int, int]:
        """Seeds and leechers of a swarm."""
        swarm = self._swarms.get(info_hash, {})
        seeds = sum(not member.left for member in swarm.values())
        return seeds, len(swarm) - seeds

    # --- over UDP

    def _answer_datagram(self, host: Host, data: bytes) -> bytes | None:
        if self._mood in (Mood.SILENT, Mood.GONE):
            return None
        if self._mood is Mood.BROKEN:
            return data[:7]
        try:
            return encode_reply(self._reply_to(host, data))
        except TrackerError:
            return None

    def _reply_to(self, host: Host, data: bytes) -> UdpReply:
        request, now = parse_request(data), self._world.now
        if isinstance(request, Connect):
            connection = self._rng.getrandbits(64)
            self._connections[connection] = host.name, now
            return Connected(request.transaction, connection)
        owner, since = self._connections.get(request.connection, ("", 0.0))
        if owner != host.name or now > since + CONNECTION_SECONDS:
            return Refused(request.transaction, "unknown connection id")
        if self._mood is Mood.REFUSING:
            return Refused(request.transaction, "not today")
        if isinstance(request, Scrape):
            counts = [self._counts(info_hash) for info_hash in request.info_hashes]
            entries = tuple(ScrapeEntry(seeds, 0, leechers) for seeds, leechers in counts)
            return Scraped(request.transaction, entries)
        said = request.request
        event = said.event.value if said.event else ""
        note = Announce(now, host.name, said.info_hash, said.peer_id, event, said.uploaded, said.downloaded, said.left)
        numwant = DEFAULT_NUMWANT if said.numwant is None else said.numwant
        peers = tuple(self._join(note, Address(host.address.host, said.port), numwant))
        seeds, leechers = self._counts(said.info_hash)
        return Announced(request.transaction, AnnounceReply(self.interval, None, peers, seeds, leechers))


def _query(url: str) -> dict[str, bytes]:
    """The parameters of the URL; info hashes are raw bytes, which `parse_qs` would take for text."""
    pairs = (part.partition("=") for part in urlsplit(url).query.split("&"))
    return {key: unquote_to_bytes(value.replace("+", " ")) for key, _, value in pairs}
