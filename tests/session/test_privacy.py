"""What a proxy, or anonymous mode, leaves of the other settings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import SessionError
from bittern.io.proxying import Proxied, Purpose
from bittern.session.privacy import effective, proxied
from bittern.session.settings import Settings
from bittern.wire.proxy.server import ProxyServer

URL = "socks5://127.0.0.1:1"
ALL = Settings(proxy=URL, dht=True)

some_settings = st.builds(
    Settings,
    proxy=st.sampled_from((None, URL, "socks4a://p", "http://p")),
    proxy_strict=st.booleans(),
    proxy_peers=st.booleans(),
    proxy_trackers=st.booleans(),
    proxy_web=st.booleans(),
    proxy_dht=st.booleans(),
    proxy_names=st.booleans(),
    anonymous=st.booleans(),
    dht=st.booleans(),
    use_lsd=st.booleans(),
    port_mapping=st.booleans(),
    listen=st.sampled_from(((), ("127.0.0.1",))),
    use_trackers=st.booleans(),
    utp=st.booleans(),
)


def test_everything_goes_through_a_proxy_unless_it_is_excepted() -> None:
    server = ProxyServer.parse(URL)
    assert proxied(Settings()) is None
    assert proxied(ALL) == Proxied(server, frozenset(Purpose), names=True, strict=True)
    some = replace(ALL, proxy_peers=False, proxy_dht=False, proxy_names=False, proxy_strict=False)
    assert proxied(some) == Proxied(server, frozenset((Purpose.TRACKERS, Purpose.WEB)), names=False, strict=False)


@pytest.mark.parametrize("url", ["127.0.0.1:1080", "https://p", "socks5://u:secret@"])
def test_what_is_no_proxy_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(SessionError, match="proxy: ") as caught:
        Settings(proxy=url)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(Settings(proxy="socks5://u:secret@p"))


def test_a_strict_proxy_leaves_nothing_that_goes_another_way() -> None:
    assert effective(ALL) == replace(ALL, use_lsd=False)
    some = replace(ALL, proxy_trackers=False, proxy_web=False, proxy_dht=False)
    assert effective(some) == replace(some, use_lsd=False, use_trackers=False, web_connections=0, dht=False)
    assert effective(replace(some, proxy_strict=False)) == replace(some, proxy_strict=False)


def test_who_wants_to_listen_beside_a_strict_proxy_is_told_that_it_does_not(caplog: pytest.LogCaptureFixture) -> None:
    effective(replace(ALL, listen=("192.0.2.1", "::1"), proxy_strict=False))
    assert caplog.records == []
    effective(replace(ALL, listen=("192.0.2.1", "::1")))
    assert [record.getMessage() for record in caplog.records] == [
        "nobody is listened to on 192.0.2.1, ::1: everything goes through the proxy"
    ]


def test_without_datagrams_there_is_no_table_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    for strict in (True, False):
        found = effective(Settings(proxy="http://p", dht=True, proxy_strict=strict))
        assert (found.dht, found.utp) == (False, False)
    assert [record.getMessage() for record in caplog.records] == [
        "the proxy http://p:80 knows no UDP: there is no distributed hash table, and no uTP"
    ] * 2
    loose = Settings(proxy="http://p", dht=True, proxy_dht=False, proxy_peers=False, proxy_strict=False)
    assert effective(loose) == loose
    with pytest.raises(SessionError, match="no uTP"):
        effective(Settings(proxy="http://p", tcp=False))


def test_who_is_anonymous_says_nothing_in_the_local_network() -> None:
    assert effective(Settings(anonymous=True)) == Settings(anonymous=True, use_lsd=False)
    assert not effective(Settings(anonymous=True, port_mapping=True)).port_mapping
    assert effective(Settings(anonymous=True, port_mapping=True, listen=("192.0.2.1",))).port_mapping


def test_nobody_is_let_in_beside_a_strict_proxy() -> None:
    assert not effective(replace(ALL, port_mapping=True)).port_mapping
    assert effective(replace(ALL, port_mapping=True, proxy_strict=False)).port_mapping


@given(some_settings)
def test_nothing_is_added_and_nothing_goes_out_twice_restricted(settings: Settings) -> None:
    found = effective(settings)
    assert effective(found) == found
    for name in ("dht", "utp", "use_lsd", "port_mapping", "use_trackers", "web_connections"):
        assert getattr(found, name) <= getattr(settings, name)
    if settings.proxy is None and not settings.anonymous:
        assert found == settings
