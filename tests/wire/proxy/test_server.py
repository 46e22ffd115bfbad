"""Proxies as users name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.server import ProxyKind, ProxyServer


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("socks5://10.0.0.1", ProxyServer(ProxyKind.SOCKS5, Endpoint("10.0.0.1", 1080))),
        ("SOCKS5H://p.example:9050/", ProxyServer(ProxyKind.SOCKS5, Endpoint("p.example", 9050))),
        ("socks5://a%40b:p%3aw@[::1]:1", ProxyServer(ProxyKind.SOCKS5, Endpoint("::1", 1), "a@b", "p:w")),
        ("socks5://[fe80::1%eth0]:1", ProxyServer(ProxyKind.SOCKS5, Endpoint("fe80::1%eth0", 1))),
        ("http://[FE80::1%25Wlan0]:1", ProxyServer(ProxyKind.HTTP, Endpoint("fe80::1%Wlan0", 1))),
        ("http://[fe80::1%25]:1", ProxyServer(ProxyKind.HTTP, Endpoint("fe80::1%25", 1))),
        ("socks4a://me@p:3", ProxyServer(ProxyKind.SOCKS4A, Endpoint("p", 3), "me")),
        ("http://p", ProxyServer(ProxyKind.HTTP, Endpoint("p", 80))),
        (" http://u:@p:3128 ", ProxyServer(ProxyKind.HTTP, Endpoint("p", 3128), "u")),
    ],
)
def test_a_proxy_is_named_by_a_url(url: str, expected: ProxyServer) -> None:
    assert ProxyServer.parse(url) == expected
    assert (expected.has_udp, expected.has_ipv6) == (
        expected.kind is ProxyKind.SOCKS5,
        expected.kind is not ProxyKind.SOCKS4A,
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "10.0.0.1:1080",
        "https://p",  # TLS to a proxy hides nothing that the proxy does not see
        "socks4://p",  # names would be looked up here
        "socks5://",
        "socks5://p:0",
        "socks5://p:70000",
        "socks5://p:x",
        "socks5://p/way",
        "http://p?q",
        "http://p#f",
        "socks5://ü.example",
        "socks5://:secret@p",
        "socks4a://me:secret@p",
        "socks4a://a%00b@p",
        "socks5://" + "u" * 256 + ":secret@p",
        "socks5://u:" + "s" * 256 + "@p",
        "socks5://[::1",
        "socks5://u\udcff:secret@p",  # as the command line has bytes that are no UTF-8
        "socks5://u:secret\udcff@p",
    ],
)
def test_what_is_none_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ProxyError) as caught:
        ProxyServer.parse(url)
    assert "secret" not in str(caught.value)


def test_an_address_of_one_link_says_of_which() -> None:
    with pytest.raises(ProxyError, match=r"interface, as in \[fe80::1%eth0\]:PORT"):
        ProxyServer.parse("socks5://[fe80::1]:1080")


def test_a_password_is_not_shown() -> None:
    proxy = ProxyServer.parse("socks5://ann:secret@p:1")
    assert str(proxy) == "socks5://p:1"
    assert "secret" not in repr(proxy)


@given(st.text())
def test_any_text_is_a_proxy_or_refused(text: str) -> None:
    for url in (text, f"socks5://{text}", f"http://u:{text}"):
        try:
            proxy = ProxyServer.parse(url)
        except ProxyError:
            continue
        assert 0 < proxy.place.port < 65536
        assert proxy.place.host
