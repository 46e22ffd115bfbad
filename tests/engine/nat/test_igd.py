from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import TypeVar

import pytest

from bittern.base.errors import GatewayError
from bittern.engine.nat.igd import MOST_PORTS, connection, external_host, map_port, take_back
from bittern.engine.nat.lease import LIFETIME_SECONDS, Lease, Wish
from bittern.wire.igd import Call, Service
from bittern.wire.pcp import Carrier

SERVICE = Service("urn:schemas-upnp-org:service:WANIPConnection:1", "http://192.168.1.1/ctl")
WISH = Wish(Carrier.TCP, 4321, 4321)
T = TypeVar("T")


def play(
    course: Generator[Call, Mapping[str, str], T], router: Callable[[Call], Mapping[str, str] | int]
) -> tuple[T, list[Call]]:
    """Run a course against a router, which answers each call, or refuses it by a code."""
    calls = []
    try:
        call = next(course)
        while True:
            calls.append(call)
            answer = router(call)
            call = course.throw(GatewayError("no", answer)) if isinstance(answer, int) else course.send(answer)
    except StopIteration as end:
        return end.value, calls


def test_a_port_is_mapped_for_two_hours() -> None:
    (lease, seconds), calls = play(map_port(SERVICE, WISH, "192.168.1.20", "198.51.100.7", Random(1)), lambda _: {})
    assert (lease, seconds) == (Lease(Carrier.TCP, 4321, 4321, "198.51.100.7", "UPnP"), LIFETIME_SECONDS)
    assert [call.action for call in calls] == ["AddPortMapping"]
    assert calls[0].arguments["NewInternalClient"] == "192.168.1.20"
    assert calls[0].arguments["NewProtocol"] == "TCP"


def test_a_router_without_leases_is_asked_for_one_without_an_end() -> None:
    course = map_port(SERVICE, WISH, "192.168.1.20", None, Random(1))
    (lease, seconds), _ = play(course, lambda call: 725 if call.arguments["NewLeaseDuration"] else {})
    assert (lease.external_port, seconds) == (4321, 0)


@pytest.mark.parametrize("code", [718, 729, 501])
def test_where_a_port_is_taken_others_are_tried(code: int) -> None:
    taken = {4321}

    def router(call: Call) -> Mapping[str, str] | int:
        port = int(call.arguments["NewExternalPort"])
        if len(taken) < 4 or port in taken:
            taken.add(port)
            return code
        return {}

    (lease, _), calls = play(map_port(SERVICE, WISH, "192.168.1.20", None, Random(1)), router)
    assert lease.external_port not in taken
    assert len(calls) == 5


def test_a_router_that_maps_only_same_ports_is_asked_for_the_same() -> None:
    course = map_port(SERVICE, Wish(Carrier.UDP, 4321, 9999), "192.168.1.20", None, Random(1))
    (lease, _), _ = play(course, lambda call: 724 if call.arguments["NewExternalPort"] != 4321 else {})
    assert lease.external_port == 4321


def test_it_is_not_tried_for_ever() -> None:
    calls: list[Call] = []

    def router(call: Call) -> int:
        calls.append(call)
        return 718

    with pytest.raises(GatewayError, match="no port for TCP port 4321"):
        play(map_port(SERVICE, WISH, "192.168.1.20", None, Random(1)), router)
    assert len(calls) == MOST_PORTS + 1


def test_who_never_says_what_is_wrong_has_the_last_word() -> None:
    with pytest.raises(GatewayError) as caught:
        play(map_port(SERVICE, WISH, "192.168.1.20", None, Random(1)), lambda _: 501)
    assert caught.value.code == 501


def test_any_other_refusal_is_told() -> None:
    with pytest.raises(GatewayError) as caught:
        play(map_port(SERVICE, WISH, "192.168.1.20", None, Random(1)), lambda _: 606)
    assert caught.value.code == 606


def test_a_mapping_is_taken_back_by_what_names_it() -> None:
    lease = Lease(Carrier.UDP, 4321, 9999, None, "UPnP")
    _, calls = play(take_back(SERVICE, lease), lambda _: {})
    arguments = {"NewRemoteHost": "", "NewExternalPort": 9999, "NewProtocol": "UDP"}
    assert [(call.action, call.arguments) for call in calls] == [("DeletePortMapping", arguments)]


@pytest.mark.parametrize(
    ("said", "known"),
    [("198.51.100.7", "198.51.100.7"), ("0.0.0.0", None), ("", None), ("example.org", None), ("::1", None)],
)
def test_the_address_outside_is_an_address_or_unknown(said: str, known: str | None) -> None:
    assert play(external_host(SERVICE), lambda _: {"NewExternalIPAddress": said})[0] == known


def test_of_two_services_that_of_ip_is_asked_and_a_firewall_maps_nothing() -> None:
    ppp = Service("urn:schemas-upnp-org:service:WANPPPConnection:1", "http://192.168.1.1/ppp")
    wall = Service("urn:schemas-upnp-org:service:WANIPv6FirewallControl:1", "http://192.168.1.1/6")
    assert connection((wall, ppp, SERVICE)) == SERVICE
    assert connection((ppp,)) == ppp
    assert connection((wall,)) is None
