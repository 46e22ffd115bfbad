"""Carries decisions to the world: the loop that io and sim share. It decides nothing itself."""

from .core import Core
from .effects import AnnounceLocally, Connect, ConnectWeb, GiveUp, HttpGet, Resolve, SendDatagram, WorkOut
from .ports import Disk, Http, Keys, Local, Net, Resolver, Udp


class Driver:
    """One core and the ports of one world.

    Args:
        core: the engine.
        net: makes connections.
        disk: stores and reads.
        http: fetches.
        udp: moves datagrams.
        resolver: looks up names.
        local: announces in the local network.
        keys: works out shared secrets.
    """

    def __init__(
        self, core: Core, net: Net, disk: Disk, http: Http, udp: Udp, resolver: Resolver, local: Local, keys: Keys
    ) -> None:
        self.core = core
        self._net = net
        self._disk = disk
        self._http = http
        self._udp = udp
        self._resolver = resolver
        self._local = local
        self._keys = keys
        self._due: float | None = 0.0

    def turn(self, now: float) -> float | None:
        """End a turn: settle, do what is due, carry everything out. Returns when the next turn is due at the latest."""
        core = self.core
        if self._due is not None and self._due <= now:
            core.advance(now)
        core.settle(now)
        for effect in core.take_effects():
            if isinstance(effect, Connect):
                self._net.connect(effect)
            elif isinstance(effect, HttpGet):
                self._http.get(effect)
            elif isinstance(effect, SendDatagram):
                self._udp.send(effect)
            elif isinstance(effect, Resolve):
                self._resolver.resolve(effect)
            elif isinstance(effect, GiveUp):
                self._net.give_up(effect)
            elif isinstance(effect, ConnectWeb):
                self._net.connect_web(effect)
            elif isinstance(effect, AnnounceLocally):
                self._local.announce(effect)
            elif isinstance(effect, WorkOut):
                self._keys.work_out(effect)
            else:
                self._disk.submit(effect)
        self._due = core.next_deadline()
        return self._due
