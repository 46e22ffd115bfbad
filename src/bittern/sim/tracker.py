"""A tracker in memory (BEP 3, BEP 23): a site of the simulated web."""

from dataclasses import dataclass
from enum import Enum, unique
from urllib.parse import unquote_to_bytes, urlsplit

from bittern.base.address import Address, compact
from bittern.codec.bencode import encode

from .host import Host
from .http import Reply, Web
from .world import World

DEFAULT_NUMWANT = 50
"""Peers of an answer when the client names no number."""


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
        interval: seconds that clients are told to wait.
        mood: how it answers.
        log: every announce that it understood, in order.
    """

    def __init__(self, world: World, web: Web, name: str = "tracker.sim", interval: int = 1800) -> None:
        self.url = f"http://{name}/announce"
        self.interval = interval
        self.log: list[Announce] = []
        self._name = name
        self._mood = Mood.WELL
        self._web = web
        self._world = world
        self._rng = world.chance(name).rng_for("peers")
        self._swarms: dict[bytes, dict[bytes, _Member]] = {}
        web.sites[name] = self._answer

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
        self.log.append(said)
        swarm = self._swarms.setdefault(said.info_hash, {})
        swarm.pop(said.peer_id, None)
        others = list(swarm.values())
        if said.event != "stopped":
            swarm[said.peer_id] = _Member(Address(host.address.host, int(query["port"])), said.left)
        if not said.left:
            others = [member for member in others if member.left]
        wanted = min(int(query.get("numwant", b"%d" % DEFAULT_NUMWANT)), len(others))
        chosen = self._rng.sample(others, max(0, wanted)) if said.event != "stopped" else []
        seeds = sum(not member.left for member in swarm.values())
        return {
            "interval": self.interval,
            "complete": seeds,
            "incomplete": len(swarm) - seeds,
            "peers": compact(member.address for member in chosen)[0],
        }


def _query(url: str) -> dict[str, bytes]:
    """The parameters of the URL; info hashes are raw bytes, which `parse_qs` would take for text."""
    pairs = (part.partition("=") for part in urlsplit(url).query.split("&"))
    return {key: unquote_to_bytes(value.replace("+", " ")) for key, _, value in pairs}
