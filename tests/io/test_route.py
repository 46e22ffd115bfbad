"""Sockets of one family: bound, or on their way."""

import ast
import asyncio
import socket
from pathlib import Path

import pytest

from bittern.base.address import Address, is_alias
from bittern.io import capabilities
from bittern.io.proxying import Proxied, Purpose
from bittern.io.route import DIRECT, Route, Way
from bittern.io.sockets import family_of
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from tests.io.proxies import Proxy, Reader, Writer, running, serving

SOURCE = Path(__file__).parents[2] / "src" / "bittern"
HOSTS = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.mark.parametrize(("host", "family"), HOSTS)
@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_a_socket_speaks_the_family_of_its_host_alone_and_does_not_block(
    host: str, family: socket.AddressFamily, kind: socket.SocketKind
) -> None:
    with (
        DIRECT.bound(host, 0, kind) as sock,
        Route(host).reaching(host, kind) as other,
        DIRECT.reaching(host, kind) as free,
    ):
        assert family_of(host) == sock.family == other.family == free.family == family
        assert not any(each.getblocking() for each in (sock, other, free))
        assert sock.getsockname()[0] == other.getsockname()[0] == host
        if family == socket.AF_INET6:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_a_port_is_shared_with_those_that_say_so_alone(kind: socket.SocketKind) -> None:
    with DIRECT.bound("127.0.0.1", 0, kind) as sock:
        if kind == STREAM:
            sock.listen()
        with pytest.raises(OSError, match="in use"):
            DIRECT.bound("127.0.0.1", sock.getsockname()[1], kind, shared=capabilities.REUSE_PORT)
    if capabilities.REUSE_PORT:
        with DIRECT.bound("127.0.0.1", 0, kind, shared=True) as sock:
            DIRECT.bound("127.0.0.1", sock.getsockname()[1], kind, shared=True).close()


def test_what_is_not_this_machines_is_refused_and_nothing_stays_open() -> None:
    with pytest.raises(OSError, match="assign"):
        DIRECT.bound("192.0.2.1", 0, DATAGRAM)
    with pytest.raises(OSError, match="assign"):
        Route("192.0.2.1").reaching("127.0.0.1", STREAM)
    with pytest.raises(OSError, match=r"."):
        Route("::1").reaching("127.0.0.1", STREAM)  # of the other family


def test_the_system_keeps_as_much_as_it_is_asked_to() -> None:
    with (
        DIRECT.bound("127.0.0.1", 0, DATAGRAM) as plain,
        DIRECT.bound("127.0.0.1", 0, DATAGRAM, receive_bytes=4096) as small,
    ):
        plenty, little = (sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in (plain, small))
    assert little < plenty


def test_families_are_those_that_we_listen_on_and_speak_from() -> None:
    four, six = int(socket.AF_INET), int(socket.AF_INET6)
    with DIRECT.bound("127.0.0.1", 0, DATAGRAM) as sock:
        assert DIRECT.families([sock]) == (four,)
        assert Route("127.0.0.1").families([sock]) == Route("::1", "127.0.0.1").families([sock]) == (four,)
        assert Route("::1").families([sock]) == ()
    assert DIRECT.families([]) == Route("::1", "127.0.0.1").families([]) == tuple(sorted((four, six)))
    assert Route("::1").families([]) == (six,)


async def test_a_name_has_each_of_its_addresses_once() -> None:
    assert await DIRECT.look_up("localhost", 80, Purpose.WEB, family=socket.AF_INET) == [Address("127.0.0.1", 80)]
    assert await DIRECT.look_up("::ffff:192.0.2.1", None, Purpose.DHT) == [Address("192.0.2.1", 0)]
    with pytest.raises(OSError, match=r"."):
        await DIRECT.look_up("nowhere.invalid", 80, Purpose.WEB)


# Who makes sockets or looks up names beside the route, and why that goes to nobody else.
ELSEWHERE = {
    "io/binding.py": "tries whether an address is ours, and whether sockets can be bound; nothing is sent",
    "io/interfaces.py": "speaks to the kernel (rtnetlink)",
    "io/names.py": "asks the system for the route",
    "io/tracker/worker.py": "takes over sockets that another process has bound",
}
WAYS_OUT = {"socket", "create_connection", "create_server", "getaddrinfo", "gethostbyname", "gethostbyaddr", "fromfd"}
LOOP_WAYS_OUT = {"open_connection", "start_server", "create_datagram_endpoint", "getnameinfo"}


def ways_out(path: Path) -> list[str]:
    """What a module calls that makes sockets, or looks up names."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = node.func.value
            of_socket = isinstance(module, ast.Name) and module.id == "socket"
            if node.func.attr in LOOP_WAYS_OUT or (of_socket and node.func.attr in WAYS_OUT):
                found.append(node.func.attr)
        if isinstance(node, ast.ImportFrom) and node.module in ("socket", "asyncio"):
            found += [name.name for name in node.names if name.name in WAYS_OUT | LOOP_WAYS_OUT]
    return found


def test_nothing_gets_out_but_by_the_route() -> None:
    """The lab, which is no client, speaks for itself."""
    folders = ("io", "session", "cli")
    found = {
        str(path.relative_to(SOURCE))
        for folder in folders
        for path in (SOURCE / folder).rglob("*.py")
        if ways_out(path)
    }
    assert found == {"io/route.py", *ELSEWHERE}


SERVER = ProxyServer(ProxyKind.SOCKS5, Endpoint("127.0.0.1", 1))


def test_each_purpose_has_its_way() -> None:
    some = frozenset((Purpose.PEERS, Purpose.WEB))
    strict = Route(proxied=Proxied(SERVER, some))
    loose = Route(proxied=Proxied(SERVER, some, strict=False))
    for purpose in Purpose:
        assert DIRECT.way(purpose) is Way.DIRECT
        assert strict.way(purpose) is (Way.PROXY if purpose in some else Way.NONE)
        assert loose.way(purpose) is (Way.PROXY if purpose in some else Way.DIRECT)
    assert (DIRECT.strict, strict.strict, loose.strict) == (False, True, False)


async def test_where_everything_goes_through_a_proxy_there_is_no_other_socket() -> None:
    route = Route("127.0.0.1", proxied=Proxied(SERVER, frozenset()))
    for kind in (STREAM, DATAGRAM):
        with pytest.raises(PermissionError, match="through the proxy"):
            route.bound("127.0.0.1", 0, kind)
        with pytest.raises(PermissionError, match="through the proxy"):
            route.reaching("127.0.0.1", kind)
    for purpose in Purpose:
        with pytest.raises(PermissionError, match="through the proxy"):
            await route.connect(Address("127.0.0.1", 1), purpose)
        with pytest.raises(PermissionError, match="but by the proxy"):
            await route.look_up("localhost", 1, purpose)
        assert await route.look_up("127.0.0.1", 1, purpose) == [Address("127.0.0.1", 1)]  # nobody is asked


async def test_names_are_looked_up_by_the_proxy_alone_where_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> None:
        raise AssertionError("a name left this machine")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    async with serving(hello) as place, running(Proxy(names={"far.example": "127.0.0.1"})) as proxy:
        route = Route(proxied=Proxied(proxy.server))
        assert await route.look_up("far.example", place.port, Purpose.WEB, family=socket.AF_INET6) == []
        [address] = await route.look_up("far.example", place.port, Purpose.WEB)
        assert is_alias(address.host)
        assert address.port == place.port
        loop = asyncio.get_running_loop()
        with await route.connect(address, Purpose.PEERS) as sock:
            assert await loop.sock_recv(sock, 10) == b"hello"
        assert proxy.asked == [Endpoint("far.example", place.port)]


async def test_names_may_be_looked_up_here_for_a_proxy_that_is_not_strict() -> None:
    route = Route(proxied=Proxied(SERVER, names=False, strict=False))
    assert await route.look_up("localhost", 7, Purpose.WEB, family=socket.AF_INET) == [Address("127.0.0.1", 7)]


@pytest.mark.parametrize("name", ["x" * 300, "\u00fc.example", "a\0b"])
async def test_what_no_proxy_could_look_up_has_no_address(name: str) -> None:
    """An alias would be refused only when something is sent there, in the middle of a turn."""
    route = Route(proxied=Proxied(ProxyServer(ProxyKind.SOCKS5, Endpoint("127.0.0.1", 1080))))
    with pytest.raises(OSError, match="no name"):
        await route.look_up(name, 80, Purpose.TRACKERS)


def test_a_proxy_without_ipv6_is_asked_for_none() -> None:
    old = ProxyServer(ProxyKind.SOCKS4A, Endpoint("127.0.0.1", 1))
    assert Route(proxied=Proxied(old)).families([]) == (int(socket.AF_INET),)
    assert Route(proxied=Proxied(SERVER)).families([]) == DIRECT.families([])


async def hello(_: Reader, writer: Writer) -> None:
    writer.write(b"hello")
    await writer.drain()
