"""Names looked up through a route: for who is bound to an interface, whose questions must not go another way.

The system's resolver asks by the routes of the system. This one asks the same servers by sockets of the route.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from secrets import randbelow
from typing import Final

from bittern.wire.dns import MAX_DATAGRAM, PORT, Addresses, DnsError, parse, question

from .sockets import place_of

HOSTS: Final = Path("/etc/hosts")
CONFIGURED: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Where servers are named. In the first, systemd names itself; in the second, those that it asks."""
TRY_SECONDS: Final = 2.0
TRIES: Final = 2
"""Rounds through all servers."""
MOST_SERVERS: Final = 3

Open = Callable[[str, int], socket.socket]
"""Makes a socket of a kind towards a numeric host, not connected yet."""


def servers_named(paths: Sequence[Path] = CONFIGURED) -> tuple[str, ...]:
    """The name servers of the system, but for those on this machine: nobody knows whom those ask, and how."""
    for path in paths:
        found: list[str] = []
        with suppress(OSError):
            lines = [line.split() for line in path.read_text("ascii", "replace").splitlines()]
            named = [words[1] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]
            found = [host for host in named if _is_far(host)]
        if found:
            return tuple(found[:MOST_SERVERS])
    return ()


def known_hosts(name: str, path: Path = HOSTS) -> tuple[str, ...]:
    """What the machine's own list has for a name."""
    found = []
    with suppress(OSError):
        for line in path.read_text("utf-8", "replace").splitlines():
            host, *names = line.partition("#")[0].split() or [""]
            if name.lower() in map(str.lower, names):
                found.append(host)
    return tuple(found)


async def addresses_of(name: str, families: Sequence[int], reach: Open, servers: Sequence[str]) -> list[str]:
    """Numeric addresses of a name, as the machine's own list or the first server that knows says.

    Args:
        name: of a host.
        families: AF_INET, AF_INET6, or both; the first come first.
        reach: makes sockets towards servers.
        servers: numeric hosts.

    Raises:
        OSError: the name is not known, or nobody answers.
    """
    own = known_hosts(name)
    if own:
        return [host for family in families for host in own if (":" in host) == (family == socket.AF_INET6)]
    if not servers:
        raise OSError(errno.EHOSTUNREACH, f"{name}: no name server is known that can be asked; name one")
    found = await asyncio.gather(*[_ask_all(name, family == socket.AF_INET6, reach, servers) for family in families])
    hosts = [host for said in found for host in said.hosts]
    if not hosts:
        raise OSError(errno.EHOSTUNREACH, f"{name}: name not known")
    return hosts


async def _ask_all(name: str, ipv6: bool, reach: Open, servers: Sequence[str]) -> Addresses:  # noqa: FBT001 - a key
    reason: Exception = OSError(errno.ETIMEDOUT, f"{name}: no name server answers")
    for server in [server for _ in range(TRIES) for server in servers]:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                said = await _ask(name, ipv6, reach, server)
        except DnsError as error:
            raise OSError(errno.EINVAL, str(error)) from None
        except (OSError, TimeoutError) as error:
            reason = error if not isinstance(error, TimeoutError) else reason
            continue
        if not said.refused:
            return said
    raise reason if isinstance(reason, OSError) else OSError(errno.ETIMEDOUT, str(reason))


async def _ask(name: str, ipv6: bool, reach: Open, server: str) -> Addresses:  # noqa: FBT001 - as above
    loop = asyncio.get_running_loop()
    asked = question(name, randbelow(1 << 16), ipv6=ipv6)
    with reach(server, socket.SOCK_DGRAM) as sock:
        sock.connect(place_of(server, PORT))  # what others send does not arrive
        await loop.sock_sendall(sock, asked)
        while True:
            data = await loop.sock_recv(sock, MAX_DATAGRAM)
            with suppress(DnsError):
                said = parse(data, asked)
                break
    if not said.truncated:
        return said
    with reach(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, (server, PORT))
        await loop.sock_sendall(sock, len(asked).to_bytes(2) + asked)
        length = int.from_bytes(await _exactly(loop, sock, 2))
        return parse(await _exactly(loop, sock, length), asked)


async def _exactly(loop: asyncio.AbstractEventLoop, sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await loop.sock_recv(sock, count - len(data))
        if not more:
            raise OSError(errno.ECONNRESET, "the name server closed the connection")
        data += more
    return data


def _is_far(host: str) -> bool:
    try:
        return not ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
