"""Settings say how a session gets out."""

from contextlib import closing

import pytest

from bittern.io.proxying import Purpose
from bittern.session.routing import doors, route_of
from bittern.session.settings import Settings


def test_connections_are_made_from_where_the_settings_say() -> None:
    assert route_of(Settings(source="127.0.0.1")).sources == ("127.0.0.1",)
    assert route_of(Settings()).sources == ()


async def test_nobody_can_connect_to_who_goes_through_a_proxy_alone() -> None:
    settings = Settings(proxy="socks5://127.0.0.1:1", dht=True)
    route = route_of(settings)
    sockets, ports = doors(route, settings, 0)
    with closing(ports):
        assert sockets == []
        assert ports.direct == ()
        assert [ports.of(purpose) for purpose in Purpose] == [(ports.relay,)] * len(Purpose)
        assert ports.relay is not None


@pytest.mark.parametrize("url", ["socks4a://127.0.0.1:1", "http://127.0.0.1:1"])
async def test_without_datagrams_there_is_no_port(url: str) -> None:
    settings = Settings(proxy=url, dht=True)
    sockets, ports = doors(route_of(settings), settings, 0)
    assert (sockets, ports.direct, ports.relay) == ([], (), None)


async def test_beside_a_proxy_that_is_not_strict_each_port_has_its_purpose() -> None:
    settings = Settings(
        proxy="socks5://127.0.0.1:1", proxy_strict=False, proxy_dht=False, dht=True, listen=("127.0.0.1",), port=0
    )
    sockets, ports = doors(route_of(settings), settings, 0)
    with closing(ports), sockets[0]:
        assert len(ports.direct) == 1
        assert ports.of(Purpose.DHT) == ports.direct
        assert ports.of(Purpose.TRACKERS) == (ports.relay,)


async def test_who_is_anonymous_listens_only_where_it_is_told_to() -> None:
    settings = Settings(anonymous=True, dht=True, port=7777, source="127.0.0.1")
    sockets, ports = doors(route_of(settings), settings, 7777)
    with closing(ports):
        assert sockets == []
        assert [port.address.host for port in ports.direct] == ["127.0.0.1"]
        assert ports.direct[0].address.port != 7777
    settings = Settings(anonymous=True, listen=("127.0.0.1",), use_trackers=False, utp=False, port=0)
    sockets, ports = doors(route_of(settings), settings, 0)
    with sockets[0]:
        assert ports.direct == ()
