import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import LIFETIME_SECONDS, Lease, Wish
from bittern.engine.nat.pinholes import Pinhole, close_pinhole, firewall, keep_pinhole, open_pinhole
from bittern.wire.igd import FIREWALL, Service
from bittern.wire.pcp import Carrier
from tests.engine.nat.test_igd import SERVICE, play

WALL = Service(f"{FIREWALL}1", "http://192.168.1.1/6")
OURS = "2001:db8::7"
PINHOLE = Pinhole(7, Lease(Carrier.UDP, 4321, 4321, OURS, "UPnP"))


def test_a_pinhole_lets_everybody_in_to_our_port_for_two_hours() -> None:
    pinhole, calls = play(open_pinhole(WALL, Wish(Carrier.UDP, 4321, 9), OURS), lambda _: {"UniqueID": "7"})
    assert pinhole == PINHOLE
    assert [call.action for call in calls] == ["AddPinhole"]
    assert calls[0].arguments == {
        "RemoteHost": "",
        "RemotePort": 0,
        "InternalClient": OURS,
        "InternalPort": 4321,
        "Protocol": 17,
        "LeaseTime": LIFETIME_SECONDS,
    }


@given(st.text(max_size=8) | st.integers(-10, 70_000).map(str))
def test_a_number_that_is_none_is_refused(said: str) -> None:
    course = open_pinhole(WALL, Wish(Carrier.TCP, 4321, 0), OURS)
    if said.isascii() and said.isdigit() and int(said) < 1 << 16 and len(said) <= 5:
        assert play(course, lambda _: {"UniqueID": said})[0].number == int(said)
    else:
        with pytest.raises(GatewayError, match="no number"):
            play(course, lambda _: {"UniqueID": said})


def test_it_is_kept_open_and_one_that_is_forgotten_is_known_to_be() -> None:
    kept, calls = play(keep_pinhole(WALL, PINHOLE), lambda _: {})
    assert kept
    assert [(call.action, call.arguments) for call in calls] == [
        ("UpdatePinhole", {"UniqueID": 7, "NewLeaseTime": LIFETIME_SECONDS})
    ]
    assert not play(keep_pinhole(WALL, PINHOLE), lambda _: 704)[0]
    with pytest.raises(GatewayError):
        play(keep_pinhole(WALL, PINHOLE), lambda _: 606)


def test_it_is_closed_by_its_number() -> None:
    _, calls = play(close_pinhole(WALL, PINHOLE), lambda _: {})
    assert [(call.action, call.arguments) for call in calls] == [("DeletePinhole", {"UniqueID": 7})]


def test_the_firewall_is_found_among_the_services() -> None:
    assert firewall((SERVICE, WALL)) == WALL
    assert firewall((SERVICE,)) is None
