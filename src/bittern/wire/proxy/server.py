"""A proxy, as users name it: `socks5://user:password@host:port`."""

from dataclasses import dataclass, field
from enum import Enum, unique
from ipaddress import IPv6Address, ip_address
from typing import Self
from urllib.parse import unquote, urlsplit

from bittern.base.errors import ProxyError

from .handshake import Endpoint

MAX_WORD_BYTES = 255
"""Of a name or a password (RFC 1929)."""


@unique
class ProxyKind(Enum):
    """What a proxy speaks."""

    SOCKS5 = "socks5"
    SOCKS4A = "socks4a"
    HTTP = "http"


_SCHEMES = {
    "socks5": (ProxyKind.SOCKS5, 1080),
    "socks5h": (ProxyKind.SOCKS5, 1080),  # as curl and others write it where names go to the proxy; ours always may
    "socks4a": (ProxyKind.SOCKS4A, 1080),
    "http": (ProxyKind.HTTP, 80),
}


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """A proxy.

    Attributes:
        kind: what it speaks.
        place: its host, by name or address, and its port.
        user: a name to give; None for none.
        password: that goes with it.
    """

    kind: ProxyKind
    place: Endpoint
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL.

        Args:
            url: `socks5://`, `socks5h://`, `socks4a://` or `http://`, then a name and password if need be (`%40` for
                `@`), the host and the port: 1080 for SOCKS and 80 for HTTP unless it says another.

        An IPv6 address of one link has its interface behind a per cent sign (`[fe80::1%eth0]`), which may be escaped as
        RFC 6874 has it (`%25`).

        Raises:
            ProxyError: it is none; the message does not tell the password.
        """
        try:
            parts = urlsplit(url.strip())
            kind, usual = _SCHEMES[parts.scheme.lower()]
            host, port = parts.hostname or "", parts.port if parts.port is not None else usual
        except KeyError:
            raise ProxyError("a proxy is written socks5://HOST:PORT, socks4a://HOST:PORT or http://HOST:PORT") from None
        except ValueError:
            raise ProxyError("a proxy is written SCHEME://HOST:PORT, with a port from 1 to 65535") from None
        if not host or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ProxyError("a proxy is written SCHEME://HOST:PORT, with nothing behind the port")
        host = _on_its_link(host)
        if not host.isascii() or len(host) > MAX_WORD_BYTES or any(character <= " " for character in host):
            raise ProxyError("the name of a proxy's host is written in ASCII")
        user = unquote(parts.username) if parts.username is not None else None
        password = unquote(parts.password or "")
        if user is not None and (not user or (kind is ProxyKind.SOCKS4A and (password or "\0" in user))):
            raise ProxyError("a proxy is given a name and a password; SOCKS 4 knows no password")
        if any(len(_bytes_of(word)) > MAX_WORD_BYTES for word in (user or "", password)):
            raise ProxyError(f"a name and a password for a proxy have at most {MAX_WORD_BYTES} bytes each")
        return cls(kind, Endpoint(host, port), user, password)

    @property
    def has_udp(self) -> bool:
        """Whether datagrams may go through it: SOCKS 5 alone knows them."""
        return self.kind is ProxyKind.SOCKS5

    @property
    def has_ipv6(self) -> bool:
        """Whether it can be given an IPv6 address."""
        return self.kind is not ProxyKind.SOCKS4A

    def __str__(self) -> str:
        return f"{self.kind.value}://{self.place}"


def _on_its_link(host: str) -> str:
    """`host`; where it is an IPv6 address of one link, with its interface as the system writes it.

    Raises:
        ProxyError: it does not say which link.
    """
    plain, _, interface = host.partition("%25")
    host = f"{plain}%{interface}" if interface else host
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    if isinstance(ip, IPv6Address) and ip.is_link_local and ip.scope_id is None:
        raise ProxyError(f"a proxy at an address of one link is written with its interface, as in [{ip}%eth0]:PORT")
    return host


def _bytes_of(word: str) -> bytes:
    try:
        return word.encode()
    except UnicodeEncodeError:  # a byte of the command line that stands for no character
        raise ProxyError("a name and a password for a proxy are text in UTF-8") from None
