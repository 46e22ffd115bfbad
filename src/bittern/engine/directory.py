"""Who is meant by an info hash: torrents that are awake, those that sleep, and the other names of hybrids (BEP 52)."""

from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.mse.keys import name_mark

from .dormitory import Dormitory
from .torrent import Torrent


class Directory:
    """The torrents of one core by their info hashes.

    Args:
        dormitory: those that sleep.
    """

    def __init__(self, dormitory: Dormitory) -> None:
        self._dormitory = dormitory
        self._awake: dict[InfoHashV1, Torrent] = {}
        self._marks: dict[bytes, InfoHashV1] = {}  # every name, by what an encrypted connection says instead of it
        self._also: dict[InfoHashV1, InfoHashV1] = {}  # other hashes of torrents, to those they were added by

    def __contains__(self, wire_hash: InfoHashV1) -> bool:
        """Whether a torrent was added by this hash, awake or asleep."""
        return wire_hash in self._awake or wire_hash in self._dormitory

    def own(self, name: InfoHashV1) -> InfoHashV1:
        """The hash that the torrent of this name was added by, if there is one."""
        return self._also.get(name, name)

    def awake(self, name: InfoHashV1) -> Torrent | None:
        """The torrent of this name, if it is there and awake."""
        return self._awake.get(self.own(name))

    def claim(self, wire_hash: InfoHashV1) -> None:
        """A torrent is being added by this hash: a name of its own comes before any other's second one.

        Raises:
            LocalProtocolError: it is there already.
        """
        if wire_hash in self:
            raise LocalProtocolError(f"torrent {wire_hash} is in the core already")
        self._also.pop(wire_hash, None)
        self._marks[name_mark(wire_hash)] = wire_hash

    def marked(self, mark: bytes) -> InfoHashV1 | None:
        """The name, any that a torrent has, whose `name_mark` this is."""
        return self._marks.get(mark)

    def enter(self, torrent: Torrent) -> None:
        """A torrent is awake."""
        self._awake[torrent.wire_hash] = torrent

    def leave(self, torrent: Torrent) -> None:
        """A torrent is awake no more; its other name still means it, as it may sleep."""
        self._awake.pop(torrent.wire_hash, None)

    def also(self, name: InfoHashV1 | None, wire_hash: InfoHashV1) -> None:
        """Let `name` mean the torrent that was added by `wire_hash`, unless it is a torrent's own, or already taken."""
        if name is not None and name not in self:
            self._also.setdefault(name, wire_hash)
            self._marks[name_mark(name)] = name

    def forget(self, name: InfoHashV1 | None, wire_hash: InfoHashV1) -> None:
        """The torrent of `wire_hash` is removed: `name` does not mean it any more, and nobody finds it by either."""
        self._marks.pop(name_mark(wire_hash), None)
        if name is not None and self._also.get(name) == wire_hash:
            del self._also[name]
            self._marks.pop(name_mark(name), None)
