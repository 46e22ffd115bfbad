"""Which hosts a URL that somebody else wrote may make us connect to: nobody is to reach our network through us.

A torrent names trackers, a tracker redirects. Without these rules either could have us send requests to services that
trust this machine or its network (server-side request forgery).
"""

from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from bittern.base.address import Address, is_alias, is_local
from bittern.engine.swarm.reach import is_unicast

_NEVER = (
    *("169.254.169.254", "100.100.100.200", "fd00:ec2::254"),  # credentials of virtual machines, to whoever asks
)
_ALSO_LOCAL = (
    ip_network("100.64.0.0/10"),  # RFC 6598: behind a provider's NAT
    ip_network("192.0.0.0/24"),  # RFC 6890: protocol assignments
    ip_network("198.18.0.0/15"),  # RFC 2544: benchmarks
)
_TRANSLATED = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


def refusal(host: str, *, local: bool) -> str | None:
    """Why no connection may be made to a numeric address, or None where it may.

    Args:
        host: numeric; what a name was looked up to, at the moment of connecting.
        local: whether this machine and its network are allowed.
    """
    if is_alias(host):
        return None  # a name that the proxy looks up: who is there is for the proxy to judge
    host = _plain(host)
    if host in _NEVER:
        return f"{host} is never asked: it tells secrets of virtual machines"
    if not is_unicast(Address(host, 1)):
        return f"{host} is no host's address"
    ip = ip_address(host)
    if not local and (is_local(host) or any(ip in network for network in _ALSO_LOCAL)):
        return f"{host} is in the local network, where only what you name yourself is asked"
    return None


def may_be_local(tracker: str) -> bool:
    """Whether a tracker that a torrent names may be in the local network.

    Only where the URL can do no harm there: nothing but `/announce`, and no query of somebody else's.
    """
    try:
        parts = urlsplit(tracker)
    except ValueError:
        return False
    return parts.path in ("/announce", *(("", "/") if parts.scheme == "udp" else ())) and not parts.query


def torrent_may_be_local(url: str) -> bool:
    """Whether a .torrent file that a magnet link names may be fetched from the local network.

    Only where the URL can do no harm there: a path that ends in `.torrent`, and no query of somebody else's.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.path.lower().endswith(".torrent") and not parts.query


def names_local_host(url: str) -> bool:
    """Whether a URL itself says that its host is this machine or in its network; names are not looked up."""
    try:
        host = (urlsplit(url).hostname or "").partition("%")[0]
        return host == "localhost" or refusal(host, local=False) != refusal(host, local=True)
    except ValueError:
        return False


def _plain(host: str) -> str:
    """The address that packets to `host` end up at."""
    ip = ip_address(host.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        if ip in _TRANSLATED:
            return str(ip_address(ip.packed[-4:]))
        if ip.sixtofour is not None and is_local(str(ip.sixtofour)):
            return str(ip.sixtofour)
    return str(ip)
