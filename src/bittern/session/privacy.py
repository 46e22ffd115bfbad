"""What a proxy and anonymous mode leave of the other settings: what they exclude does not begin at all."""

import logging
from dataclasses import replace

from bittern.base.errors import SessionError
from bittern.io.proxying import Proxied, Purpose
from bittern.wire.proxy.server import ProxyServer

from .settings import Settings

_log = logging.getLogger("bittern.proxy")


def proxied(settings: Settings) -> Proxied | None:
    """What goes through which proxy; None for nothing."""
    if settings.proxy is None:
        return None
    server = ProxyServer.parse(settings.proxy)
    switches = {
        Purpose.PEERS: settings.proxy_peers,
        Purpose.TRACKERS: settings.proxy_trackers,
        Purpose.WEB: settings.proxy_web,
        Purpose.DHT: settings.proxy_dht,
    }
    purposes = frozenset(purpose for purpose, through in switches.items() if through)
    return Proxied(server, purposes, names=settings.proxy_names, strict=settings.proxy_strict)


def effective(settings: Settings) -> Settings:
    """The settings, without what cannot be with their proxy, or what an anonymous session does not do.

    Raises:
        SessionError: nothing is left to reach peers by.
    """
    through = proxied(settings)
    if settings.anonymous:
        settings = replace(settings, use_lsd=False, port_mapping=settings.port_mapping and bool(settings.listen))
    if through is None:
        return settings
    if not through.server.has_udp:
        settings = _without_datagrams(settings, through)
    if not through.strict:
        return settings
    if settings.listen:
        _log.warning("nobody is listened to on %s: everything goes through the proxy", ", ".join(settings.listen))
    return replace(
        settings,
        use_lsd=False,
        port_mapping=False,
        port_file=None,
        port_command=None,
        dht=settings.dht and settings.proxy_dht,
        use_trackers=settings.use_trackers and settings.proxy_trackers,
        web_connections=settings.web_connections if settings.proxy_web else 0,
    )


def _without_datagrams(settings: Settings, through: Proxied) -> Settings:
    """Nothing goes in datagrams that is to go through the proxy, which knows none."""
    dht = settings.dht and Purpose.DHT not in through.purposes
    utp = settings.utp and Purpose.PEERS not in through.purposes
    lost = ["distributed hash table"] * (settings.dht and not dht) + ["uTP"] * (settings.utp and not utp)
    if lost and not (settings.tcp or utp):
        raise SessionError(f"proxy: {through.server} knows no UDP, and without it there is no uTP")
    if lost:
        _log.warning("the proxy %s knows no UDP: there is no %s", through.server, ", and no ".join(lost))
    return replace(settings, dht=dht, utp=utp)
