"""A machine that goes from one network to another: what was learned, and told, in the old one is out of date."""

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from bittern.base.ids import PeerId
from bittern.io.interfaces import WATCHED, InterfaceWatch, interfaces
from bittern.io.nat.gateways import default_gateway
from bittern.io.runtime import Runtime

LOOK_SECONDS: Final = 30.0
"""The machine is looked at so often; at once when the system tells of a change."""
SETTLE_SECONDS: Final = 1.0
"""A network that comes takes so long to be there: addresses first, then routes."""

Location: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Of each family that leads to the world: the router, and our own addresses on its side."""

_log = logging.getLogger("bittern.network")


def location() -> Location:
    """Where the machine is; empty where there is no network, or the system does not tell."""
    try:
        hosts = {each.name: each.hosts for each in interfaces() if each.up}
    except OSError:
        return ()
    found = []
    for ipv6 in (False, True):
        gateway = default_gateway(ipv6=ipv6)
        ours = () if gateway is None else hosts.get(gateway.interface, ())
        ours = tuple(host for host in ours if (":" in host) == ipv6)
        if gateway is not None and ours:
            found.append((gateway.host, ours if not ipv6 else ()))  # of IPv6, some come and go by themselves
    return tuple(found)


class Roaming:
    """Has everybody told when the machine is in another network.

    Args:
        runtime: the engine and its world.
        new_id: draws a peer id.
    """

    def __init__(self, runtime: Runtime, new_id: Callable[[], PeerId]) -> None:
        self._runtime = runtime
        self._new_id = new_id
        self._location = location()
        self._hosts: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Watch until cancelled."""
        if not WATCHED:
            return
        watch = InterfaceWatch()
        try:
            while True:
                await watch.changed(LOOK_SECONDS)
                await watch.changed(SETTLE_SECONDS)
                self.look()
        finally:
            watch.close()

    def look(self) -> None:
        """See where we are, and act on it. Without a network there is nobody to be told."""
        if self._has_left():
            # Those at the other ends did not see us go: they would take us for a peer that they have, and refuse us.
            self._runtime.join_again(self._new_id())
        here = location()
        if here and here != self._location:
            if self._location:
                _log.info("in another network: trackers are told")
            self._location = here
            self._runtime.core.presence.roamed(self._runtime.now())
            self._runtime.turn.soon()

    def _has_left(self) -> bool:
        """Whether connections had an end at an address that is ours no more; they are over."""
        try:
            hosts = frozenset(host for each in interfaces() for host in each.hosts)
        except OSError:
            return False
        if hosts == self._hosts:
            return False
        self._hosts = hosts
        return self._runtime.hosts_changed(hosts)
