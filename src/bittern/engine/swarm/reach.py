"""Which addresses may be dialed at all, and who may name them: nobody is to make us attack somebody."""

from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address, ip_network

from bittern.base.address import Address, is_local

from .places import is_this_machine

_NOBODY = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # RFC 1122: this host on this network
        "224.0.0.0/4",  # RFC 5771: multicast
        "240.0.0.0/4",  # RFC 1112: reserved, and the broadcast address at its end
    )
)


_SHARED = ip_network("100.64.0.0/10")  # RFC 6598: behind the router of a provider


def is_unicast(address: Address) -> bool:
    """Whether one host can be reached there: no port 0, no wildcard, no multicast, no broadcast."""
    ip = ip_address(address.host)
    if isinstance(ip, IPv4Address):
        return address.port > 0 and not any(ip in network for network in _NOBODY)
    return address.port > 0 and not (ip.is_multicast or ip.is_unspecified)


def may_be_dialed(address: Address) -> bool:
    """Whether a peer can be there: IPv6 addresses of one link lead nowhere without the name of the link."""
    return is_unicast(address) and not (address.is_ipv6 and _of_a_link(address.host))


def believed(addresses: Iterable[Address], teller: str | None) -> tuple[Address, ...]:
    """Those of `addresses` that a remote may name: services of this machine only if it is on this machine itself.

    Args:
        addresses: what it named.
        teller: its host, numeric or `localhost`; None where unknown.
    """
    if teller is not None and _here(teller):
        return tuple(addresses)
    return tuple(address for address in addresses if not is_this_machine(address.host))


def scope_of(host: str) -> int:
    """From where a numeric address can be reached: 0 from everywhere, 1 from its network, 2 from its machine."""
    if is_this_machine(host):
        return 2
    return int(is_local(host) or (":" not in host and host.startswith("100.") and ip_address(host) in _SHARED))


def sees(host: str, address: Address) -> bool:
    """Whether who is at `host` can know `address` from its own connections, or can make use of it.

    Nobody beyond the local network is told of addresses in it, nor believed when he tells of some; and nobody is told
    of addresses of one link (169.254.0.0/16, fe80::/10), nor believed.

    Args:
        host: a numeric address.
        address: another.
    """
    return scope_of(address.host) <= scope_of(host) and not _of_a_link(address.host)


def _of_a_link(host: str) -> bool:
    return host.startswith(("169.254.", "fe")) and ip_address(host).is_link_local


def _here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return is_this_machine(host)
    except ValueError:  # a name: whoever owns it may let it mean anything
        return False
