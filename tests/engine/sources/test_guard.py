"""Which hosts somebody else's URL may lead us to."""

import pytest

from bittern.engine.sources.guard import may_be_local, names_local_host, refusal, torrent_may_be_local

LOCAL = [
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "::1"),
    *("fe80::1", "fc00::1", "fd12::9", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "64:ff9b::7f00:1", "fe80::1%eth0"),
    *("2002:7f00:1::", "198.18.0.1"),
]
NEVER = [
    *("169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200"),
    *("0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "241.0.0.1", "ff02::1", "::ffff:0.0.0.0"),
]
GLOBAL = ["8.8.8.8", "2600::1", "193.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("host", LOCAL)
def test_our_network_is_for_those_who_may(host: str) -> None:
    assert "local network" in (refusal(host, local=False) or "")
    assert refusal(host, local=True) is None


@pytest.mark.parametrize("host", NEVER)
def test_some_are_for_nobody(host: str) -> None:
    assert refusal(host, local=False)
    assert refusal(host, local=True)


@pytest.mark.parametrize("host", GLOBAL)
def test_the_world_is_for_everybody(host: str) -> None:
    assert refusal(host, local=False) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://x/announce", True),
        ("https://x:1/announce#f", True),
        ("udp://x:1/announce", True),
        ("udp://x:1", True),
        ("udp://x:1/", True),
        ("http://x/", False),
        ("http://x", False),
        ("http://x/announce?passkey=1", False),
        ("udp://x:1/announce?a=b", False),
        ("http://x/announce.php", False),
        ("http://x/admin/announce", False),
        ("http://[bad/announce", False),
    ],
)
def test_only_a_plain_announce_may_go_into_our_network(url: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert may_be_local(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://x/a.torrent", True),
        ("https://x:1/a/b.TORRENT#f", True),
        ("http://x/", False),
        ("http://x/reboot", False),
        ("http://x/a.torrent?reboot=1", False),
        ("http://x/reboot?a.torrent", False),
        ("http://[bad/a.torrent", False),
    ],
)
def test_only_a_torrent_file_may_come_from_our_network(url: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert torrent_may_be_local(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:80/", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]:1/", True),
        ("http://10.0.0.1/", True),
        ("http://8.8.8.8/", False),
        ("http://tracker.example/", False),
        ("http://", False),
        ("http://[bad/", False),
    ],
)
def test_a_url_may_say_itself_that_it_is_local(url: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert names_local_host(url) is expected


def test_a_name_that_a_proxy_looks_up_is_for_the_proxy_to_judge() -> None:
    assert refusal("240.0.0.1", local=False) is None
