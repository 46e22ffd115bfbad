"""Nobody reaches the user's own network through a torrent."""

import pytest

from bittern.engine.web.guard import may_be_asked, may_be_local
from bittern.wire.webseed import WebUrl


@pytest.mark.parametrize(
    ("host", "elsewhere", "at_home"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.1", False, True),
        ("172.16.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_addresses(host: str, *, elsewhere: bool, at_home: bool) -> None:
    assert may_be_asked(host, local=False) is elsewhere
    assert may_be_asked(host, local=True) is at_home


@pytest.mark.parametrize(
    ("text", "led_from", "expected"),
    [
        ("http://a/x", None, True),
        ("http://a/x?do=it", None, False),
        ("http://a/x", "10.0.0.1", True),
        ("http://a/x", "93.184.215.14", False),
        ("http://a/x?do=it", "10.0.0.1", False),
    ],
)
def test_who_may_lead_home(text: str, led_from: str | None, *, expected: bool) -> None:
    url = WebUrl.parse(text)
    assert url is not None
    assert may_be_local(url, led_from=led_from) is expected


def test_a_name_that_a_proxy_looks_up_is_for_the_proxy_to_judge() -> None:
    assert may_be_asked("240.0.0.1", local=False)
