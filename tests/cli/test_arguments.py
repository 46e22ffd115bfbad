from collections.abc import Callable

import pytest

from bittern.cli.arguments import (
    checked_node,
    checked_torrent_url,
    checked_url,
    checked_web_seed,
    finish,
    group,
    tracker_tiers,
)
from bittern.cli.failures import UsageError


def test_each_flag_is_a_tier_and_commas_join_one() -> None:
    assert tracker_tiers(["http://a/x,udp://b:1", "https://c/"]) == (("http://a/x", "udp://b:1"), ("https://c/",))
    assert tracker_tiers([]) == ()


@pytest.mark.parametrize("text", ["", "tracker.example", "http://", "://x", "http:/a", "a b"])
def test_what_is_no_url_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write one like"):
        checked_url(text)


@pytest.mark.parametrize(
    "text", ["", "example.org", "http://", "ftp://a/", "udp://a:1/", "http://a b/", "https://a:0/"]
)
@pytest.mark.parametrize(
    ("checked", "example"), [(checked_web_seed, "org/files/"), (checked_torrent_url, r"org/album\.torrent")]
)
def test_what_no_web_server_can_have_is_refused_with_an_example(
    text: str, checked: Callable[[str], str], example: str
) -> None:
    with pytest.raises(UsageError, match=f"not an http or https URL; write one like https://example.{example}"):
        checked(text)
    assert checked(" https://me:x@[::1]:8/a b ") == "https://me:x@[::1]:8/a%20b"


@pytest.mark.parametrize(
    "text", ["udp://a.example", "udp://a.example/announce", "UDP://[::1]/a", "udp://a:/x", "udp://a?b:1"]
)
def test_a_udp_tracker_needs_a_port(text: str) -> None:
    with pytest.raises(UsageError, match="UDP has no usual port"):
        checked_url(text)
    assert checked_url("udp://[::1]:80/a:b") == "udp://[::1]:80/a:b"


@pytest.mark.parametrize(
    ("text", "node"), [("a.b:1", ("a.b", 1)), (" 1.2.3.4:65535 ", ("1.2.3.4", 65535)), ("[::1]:7", ("::1", 7))]
)
def test_nodes_are_a_host_and_a_port(text: str, node: tuple[str, int]) -> None:
    assert checked_node(text) == node


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "::1:7", "a b:1", "a:x", "[a:1]"])
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        checked_node(text)


def test_commands_of_a_group_are_listed_in_the_order_in_which_they_were_written() -> None:
    app = group("zoo", "Animals.", ("zebra",))
    names = ["zebra", "ant", "monkey"]
    for name in names:
        app.command(print, name=name, help=f"See the {name}.")
    finish(app)
    page = app.generate_docs()
    assert sorted(names, key=page.index) == names
