import pytest

from bittern.cli.arguments import checked_url, tracker_tiers
from bittern.cli.failures import UsageError


def test_each_flag_is_a_tier_and_commas_join_one() -> None:
    assert tracker_tiers(["http://a/x,udp://b:1", "https://c/"]) == (("http://a/x", "udp://b:1"), ("https://c/",))
    assert tracker_tiers([]) == ()


@pytest.mark.parametrize("text", ["", "tracker.example", "http://", "://x", "http:/a", "a b"])
def test_what_is_no_url_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write one like"):
        checked_url(text)
