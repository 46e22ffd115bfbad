"""What an address says about who is behind it: one machine, one network, near or far."""

from functools import lru_cache
from ipaddress import IPv6Address

from bittern.base.address import Address, is_local

_REMEMBERED = 4096


@lru_cache(_REMEMBERED)
def is_near(host: str) -> bool:
    """Whether `host` belongs to the local network: rules about who is who do not hold there (BEP 42)."""
    return is_local(host)


def owner_of(address: Address) -> str:
    """Who counts as one: everything at one public IP, or in IPv6 in one /64; near us each address with its port."""
    host, port = address
    if is_near(host):
        return f"{host} {port}"
    return network_of(host) if ":" in host else host


def network_of(host: str) -> str:
    """The /24 of an IPv4 address, the /64 of an IPv6 address."""
    if ":" not in host:
        return host.rpartition(".")[0]
    return IPv6Address(host).packed[:8].hex()


def nobody(_host: str) -> bool:
    """Whom to shun where nobody says so."""
    return False


def is_plausible(address: Address, teller: Address) -> bool:
    """Whether `teller` may name `address`: not one near us unless it is near itself, and one that can be reached."""
    host, port = address
    if not port:
        return False
    if ":" in host:
        if host == "::" or host.startswith("ff"):
            return False
    elif host.startswith("0.") or int(host.partition(".")[0]) >= 224:  # this network; multicast and beyond
        return False
    return is_near(teller.host) or not is_near(host)
