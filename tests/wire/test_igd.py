import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import GatewayError
from bittern.codec.xml import parse_xml
from bittern.wire.igd import Call, Service, own_url, parse_answer, parse_description

HOST = "192.168.1.1"
PLACE = f"http://{HOST}:5000/rootDesc.xml"
KIND = "urn:schemas-upnp-org:service:WANIPConnection:1"
SERVICE = Service(KIND, f"http://{HOST}:5000/ctl/IPConn")
CALL = Call(SERVICE, "AddPortMapping", {"NewExternalPort": 5, "NewPortMappingDescription": "a<b>&c"})


def described(*services: tuple[str, str]) -> bytes:
    inner = "".join(
        f"<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>" for kind, url in services
    )
    return (
        '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device>'
        f"<serviceList>{inner}</serviceList></device></deviceList></device></root>"
    ).encode()


def test_services_are_found_wherever_they_stand_and_others_left_out() -> None:
    data = described(
        ("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/ctl/L3F"),
        (KIND, "/ctl/IPConn"),
        ("urn:schemas-upnp-org:service:WANIPv6FirewallControl:1", "ctl/6"),
    )
    found = parse_description(data, PLACE, HOST)
    assert found[0] == SERVICE
    assert [service.url for service in found[1:]] == [f"http://{HOST}:5000/ctl/6"]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://192.168.1.1:49152/", "http://192.168.1.1:49152/ctl/IPConn"),
        ("http://192.168.1.1:49152/upnp", "http://192.168.1.1:49152/ctl/IPConn"),
        ("http://192.168.1.9:49152/", SERVICE.url),
        ("http://[::1", SERVICE.url),
        ("", SERVICE.url),
    ],
)
def test_places_are_meant_where_an_old_router_says_if_that_is_itself(base: str, expected: str) -> None:
    """UPnP Device Architecture 1.0, 2.1: `URLBase`, of which later versions know nothing."""
    data = described((KIND, "/ctl/IPConn")).replace(b"<device>", f"<URLBase>{base}</URLBase><device>".encode(), 1)
    assert parse_description(data, PLACE, HOST) == (Service(KIND, expected),)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.2/ctl",
        "//10.0.0.1/ctl",
        "https://192.168.1.1/ctl",
        "http://user@192.168.1.1/ctl",
        "http://192.168.1.1@evil.example/ctl",
        "http://192.168.1.1.evil.example/ctl",
        "file:///etc/passwd",
        "http://[::1",
        "http://192.168.1.1:99999/",
        "",
    ],
)
def test_a_place_on_another_host_is_never_asked(url: str) -> None:
    assert parse_description(described((KIND, url)), PLACE, HOST) == ()
    with pytest.raises(GatewayError):
        own_url(url, HOST)


@pytest.mark.parametrize("data", [b"", b"<html/>", b"<!DOCTYPE a><root/>", b"<root>"])
def test_what_is_no_description_is_refused(data: bytes) -> None:
    with pytest.raises(GatewayError):
        parse_description(data, PLACE, HOST)


def test_a_call_is_a_soap_envelope_in_which_nothing_breaks_out() -> None:
    root = parse_xml(CALL.body())
    action = root.find("Body", "AddPortMapping")
    assert action is not None
    assert [(child.name, child.text) for child in action.children] == [
        ("NewExternalPort", "5"),
        ("NewPortMappingDescription", "a<b>&c"),
    ]
    assert CALL.headers["SOAPAction"] == f'"{KIND}#AddPortMapping"'


def envelope(inner: str) -> bytes:
    return f'<s:Envelope xmlns:s="http://x/"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def test_an_answer_gives_its_arguments() -> None:
    body = envelope('<u:AddPortMappingResponse xmlns:u="a"><New>5</New><Other> x </Other></u:AddPortMappingResponse>')
    assert parse_answer(CALL, body) == {"New": "5", "Other": "x"}


def test_a_fault_gives_its_code_and_words() -> None:
    said = "<errorCode>718</errorCode><errorDescription>Conflict\x07</errorDescription>".replace("\x07", "&#9;")
    fault = envelope(f"<s:Fault><detail><UPnPError>{said}</UPnPError></detail></s:Fault>")
    with pytest.raises(GatewayError, match=r"refuses AddPortMapping: Conflict \(718\)") as caught:
        parse_answer(CALL, fault)
    assert caught.value.code == 718


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        envelope(""),
        envelope("<u:OtherResponse xmlns:u='a'/>"),
        envelope("<s:Fault><detail><UPnPError><errorCode>x</errorCode></UPnPError></detail></s:Fault>"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(data: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_answer(CALL, data)
    assert caught.value.code == 0


@given(st.binary(max_size=200) | st.text("<>/ab:Body&;", max_size=60).map(envelope))
def test_junk_is_refused_or_read(data: bytes) -> None:
    for read in (lambda: parse_answer(CALL, data), lambda: parse_description(data, PLACE, HOST)):
        try:
            read()
        except GatewayError:
            continue
