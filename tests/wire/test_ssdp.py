import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.wire.ssdp import GROUP, MAX_LOCATION, TARGETS, Found, search

PLACE = "http://192.168.1.1:5000/rootDesc.xml"
ANSWER = f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {TARGETS[0]}\r\nLocation:  {PLACE}\r\nEXT:\r\n\r\n"


def test_a_search_has_the_form_of_the_device_architecture() -> None:
    expected = (
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
        b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n'
    )
    assert search(TARGETS[0]) == expected
    assert b"HOST: 192.168.1.1:1900\r\n" in search(TARGETS[0], Address("192.168.1.1", GROUP.port))


def test_an_answer_names_a_place() -> None:
    assert Found.parse(memoryview(ANSWER.encode())) == Found(PLACE, TARGETS[0])
    assert Found.parse(ANSWER.replace("\r\n", "\n").upper().encode()).location == PLACE.upper()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ANSWER.replace("200", "404"),
        ANSWER.replace("HTTP/1.1 200 OK", "NOTIFY * HTTP/1.1"),
        ANSWER.replace("Location", "Place"),
        ANSWER.replace(PLACE, ""),
        ANSWER.replace(PLACE, PLACE + "a" * MAX_LOCATION),
        ANSWER.replace(PLACE, "http://a b"),
        ANSWER.replace(PLACE, "http://\x00"),
        ANSWER.replace(PLACE, "http://caf\u00e9"),
    ],
)
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(GatewayError):
        Found.parse(text.encode("latin-1"))


@given(st.binary(max_size=300) | st.binary().map(lambda junk: ANSWER.encode()[:-2] + junk))
def test_junk_is_refused_or_in_bounds(data: bytes) -> None:
    try:
        found = Found.parse(data)
    except GatewayError:
        return
    assert 0 < len(found.location) <= MAX_LOCATION
    assert found.location.isascii()
    assert found.location.isprintable()
