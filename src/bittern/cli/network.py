"""The network flags that `get` and `seed` share, and what they mean for a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from bittern.session.dht import ROUTERS
from bittern.session.settings import WEB_CONNECTIONS, Settings

from .arguments import Addresses, Nodes, Rate, Url, check_peers, check_proxy
from .failures import UsageError
from .output import printable


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Network:
    """Flags about the network."""

    peer: Nodes = ()
    """HOST:PORT of a peer to connect to; may be repeated."""

    port: Annotated[int | None, Parameter(metavar="PORT")] = None
    """TCP and UDP port to listen on; one that was drawn in the first run unless given."""

    listen: Addresses = ()
    """IP address to listen on, every one of the machine unless given; may be repeated."""

    interface: Annotated[str | None, Parameter(metavar="NAME")] = None
    """Network interface, or its address, that everything goes through; nothing is sent while it is gone."""

    dns: Addresses = ()
    """IP address of a server to ask for names, those of the system unless given; may be repeated."""

    port_file: Path | None = None
    """File that holds the port that a VPN forwards; it is watched."""

    port_command: Annotated[str | None, Parameter(metavar="COMMAND")] = None
    """Command that prints the port that a VPN forwards."""

    ip_filter: Annotated[tuple[str, ...], Parameter(metavar="FILE|URL...")] = ()
    """List of IP addresses to have nothing to do with (P2P, DAT or CIDR; gz, zip); may be repeated."""

    block_client: Annotated[tuple[str, ...], Parameter(metavar="ID...")] = ()
    """Exchange nothing with clients whose peer id begins so, as in XL or XL0012; may be repeated."""

    max_peers: Annotated[int, Parameter(metavar="N")] = 80
    """Connections to peers at most; 80 unless given."""

    down_limit: Rate | None = None
    """Bytes a second to download at most, as in 500k or 1.5M; no limit unless given."""

    up_limit: Rate | None = None
    """Bytes a second to upload at most; no limit unless given."""

    no_trackers: bool = False
    """Ask no trackers."""

    announce_to_all: bool = False
    """Announce to all trackers of a torrent, not only to the first that works."""

    no_web_seeds: bool = False
    """Ask no web seeds."""

    dht_router: Nodes = ()
    """HOST:PORT of a DHT node to begin with, well-known ones unless given; may be repeated."""

    no_dht: bool = False
    """Take no part in the distributed hash table (DHT)."""

    no_pex: bool = False
    """No peer exchange: tell peers of no others, and take none from them."""

    no_lsd: bool = False
    """Look for no peers in the local network."""

    no_utp: bool = False
    """Reach peers over TCP alone."""

    no_tcp: bool = False
    """Reach peers over uTP alone."""

    utp_first: bool = False
    """Try uTP before TCP: what comes over it gives way to all else on the line."""

    no_nat: bool = False
    """Do not ask the router to let others in (PCP, NAT-PMP, UPnP)."""

    encryption: Literal["prefer", "require", "off"] = "prefer"
    """Encrypt connections where peers can, always or never; prefer unless given."""

    proxy: Url | None = None
    """Proxy for everything: socks5://USER:PASSWORD@HOST:PORT, socks4a://HOST:PORT or http://HOST:PORT."""

    no_proxy_strict: bool = False
    """With --proxy: also listen, and look for peers in the local network, beside it."""

    anonymous: bool = False
    """Tell nobody which client this is; listen only on addresses named with --listen."""


def session_settings(network: Network, *, sequential: bool, ratio: float | None, minutes: float | None) -> Settings:
    """The settings of a session with these flags.

    Raises:
        UsageError: a flag promises what cannot be kept, or has a bad value.
        SessionError: a number is out of its range.
    """
    check_peers("--peer", network.peer)
    check_peers("--dht-router", network.dht_router)
    for flag, addresses, whose in (("--listen", network.listen, "this machine"), ("--dns", network.dns, "a server")):
        for address in addresses:
            try:
                ip_address(address)
            except ValueError:
                raise UsageError(f"{flag} {address}: write an IP address of {whose}") from None
    if network.port is not None and not 0 <= network.port <= 65535:
        raise UsageError(f"--port {network.port}: write a number from 0 to 65535")
    for flag, rate in (("--down-limit", network.down_limit), ("--up-limit", network.up_limit)):
        if rate == 0:
            raise UsageError(f"{flag} 0: leave it out for no limit, or write a rate such as 500k")
    for flag, value in (("--seed-ratio", ratio), ("--seed-time", minutes)):
        if value is not None and value < 0:
            raise UsageError(f"{flag} {value}: write a number that is not negative")
    if network.utp_first and network.no_utp:
        raise UsageError("--utp-first --no-utp: there is no uTP to begin with; leave one out")
    if network.no_tcp and network.no_utp:
        raise UsageError("--no-tcp --no-utp: nothing is left to reach peers by; leave one out")
    check_proxy(network.proxy)
    if network.max_peers < 1:
        raise UsageError(f"--max-peers {network.max_peers}: write a number from 1")
    routers = () if network.no_dht else network.dht_router or _well_known(network.listen)
    return Settings(
        listen=network.listen,
        port=network.port,
        interface=network.interface,
        dns_servers=network.dns,
        port_file=network.port_file,
        port_command=network.port_command,
        ip_filter=network.ip_filter,
        blocked_clients=tuple(map(_client, network.block_client)),
        max_peers=network.max_peers,
        tcp=not network.no_tcp,
        utp=not network.no_utp,
        utp_first=network.utp_first,
        port_mapping=not network.no_nat,
        use_trackers=not network.no_trackers,
        dht=bool(routers),
        dht_routers=routers,
        announce_to_all=network.announce_to_all,
        web_connections=0 if network.no_web_seeds else WEB_CONNECTIONS,
        use_pex=not network.no_pex,
        encryption_in=network.encryption,
        encryption_out=network.encryption,
        use_lsd=not network.no_lsd,
        proxy=network.proxy,
        proxy_strict=not network.no_proxy_strict,
        anonymous=network.anonymous,
        down_bytes_per_second=network.down_limit or inf,
        up_bytes_per_second=network.up_limit or inf,
        sequential=sequential,
        seed_ratio=ratio,
        seed_minutes=minutes,
    )


def _client(text: str) -> str:
    """How a peer id begins, of which people know but the letters and digits: a shell takes a dash for a flag."""
    if not (text.isascii() and text.isprintable() and 2 <= len(text) <= 20):
        raise UsageError(f"--block-client {printable(text, 40)}: write how its peer ids begin, such as XL or -XL0012-")
    return text if text.startswith("-") or not text.isalnum() else f"-{text}"


def _well_known(listen: Sequence[str]) -> tuple[str, ...]:
    """The nodes that everybody begins with; none where only this machine could ask us anything."""
    return () if listen and all(ip_address(host).is_loopback for host in listen) else ROUTERS
