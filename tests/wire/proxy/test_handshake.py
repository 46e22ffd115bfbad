"""Places that proxies are asked for."""

import pytest

from bittern.wire.proxy.handshake import Endpoint


@pytest.mark.parametrize(
    ("host", "numeric", "text"),
    [("127.0.0.1", True, "127.0.0.1:80"), ("::1", True, "[::1]:80"), ("a.example", False, "a.example:80")],
)
def test_a_place_is_numeric_or_a_name_and_is_written_as_in_urls(host: str, numeric: bool, text: str) -> None:  # noqa: FBT001 - a parameter
    place = Endpoint(host, 80)
    assert place.is_numeric == numeric
    assert str(place) == text
