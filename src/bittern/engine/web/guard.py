"""Which addresses a web seed may have us ask: nobody is to reach the user's own network through a torrent (SSRF)."""

from ipaddress import ip_address

from bittern.base.address import is_alias, is_local
from bittern.engine.sources.guard import refusal
from bittern.wire.webseed import WebUrl

MOST_REDIRECTS = 5
"""Of one file, one after the other."""


def may_be_local(url: WebUrl, *, led_from: str | None = None) -> bool:
    """Whether the server of `url` may have an address of the local network, or of this machine.

    It may where the torrent itself names it, without a query: a file server in the house is a fine web seed, but what
    acts on a query is no file server. And no server elsewhere may send us there.

    Args:
        url: what is to be asked for.
        led_from: the numeric address of the server that redirected us there; None where none did.
    """
    return not url.query and (led_from is None or is_local(led_from))


def may_be_asked(host: str, *, local: bool) -> bool:
    """Whether a web seed's server may have a numeric address.

    Args:
        host: the address.
        local: whether it may be one of the local network.
    """
    if is_alias(host):
        return True  # as for refusal()
    ip = ip_address(host)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    # Link-local addresses are where clouds keep their secrets; no web seed was ever there.
    return refusal(host, local=local) is None and not ip.is_link_local and (local or ip.is_global)
