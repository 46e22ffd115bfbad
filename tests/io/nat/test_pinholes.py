import pytest

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import MOST_RENEWAL, Lease, wishes_for
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.pinholes import Pinholes
from bittern.io.route import DIRECT
from bittern.wire.pcp import Carrier

from .toy import GATEWAY, HOST, HOST6, KIND, UpnpRouter

PORT = 4321


def pinholes(place: Address, told: list[int] | None = None) -> Pinholes:
    told = told if told is not None else []
    gateway6 = Gateway(HOST6, "lo")
    return Pinholes(
        *(GATEWAY, HOST, gateway6, HOST6, wishes_for(PORT, PORT), DIRECT.reaching, lambda: told.append(1), place)
    )


async def test_both_ports_are_opened_and_closed_by_our_ipv6_address() -> None:
    router, told = UpnpRouter(), list[int]()
    async with router.running() as place:
        ours = pinholes(place, told)
        assert await ours.hold() == MOST_RENEWAL
        assert ours.leases == tuple(Lease(carrier, PORT, PORT, HOST6, "UPnP") for carrier in Carrier)
        assert router.pinholes == {1: (HOST6, PORT), 2: (HOST6, PORT)}
        assert await ours.hold() == MOST_RENEWAL
        assert router.calls == ["AddPinhole"] * 2 + ["UpdatePinhole"] * 2
        assert told == [1, 1]
        await ours.close(2.0)
    assert router.pinholes == {}
    assert ours.leases == ()


async def test_what_the_router_forgot_is_opened_anew() -> None:
    router = UpnpRouter()
    async with router.running() as place:
        ours = pinholes(place)
        await ours.hold()
        router.pinholes.clear()
        await ours.hold()
        assert len(router.pinholes) == len(ours.leases) == 2


async def test_a_refusal_is_kept_for_people_and_nothing_is_held() -> None:
    router = UpnpRouter(refuses={"AddPinhole": 606})
    async with router.running() as place:
        ours = pinholes(place)
        with pytest.raises(GatewayError):
            await ours.hold()
        assert ours.refusal == "the router refuses AddPinhole: no (606)"
        assert ours.leases == ()


async def test_a_router_without_such_a_firewall_is_asked_for_nothing() -> None:
    service = f"<service><serviceType>{KIND}</serviceType><controlURL>/ctl</controlURL></service>"
    router = UpnpRouter(description=f"<root>{service}</root>".encode())
    async with router.running() as place:
        with pytest.raises(GatewayError, match="no firewall for IPv6"):
            await pinholes(place).hold()
    assert router.calls == []


async def test_what_is_opened_counts_though_something_else_is_refused() -> None:
    router = UpnpRouter(most_pinholes=1)
    async with router.running() as place:
        ours = pinholes(place)
        for _ in range(3):
            await ours.hold()
            assert [lease.carrier for lease in ours.leases] == [Carrier.TCP]
            assert router.pinholes == {1: (HOST6, PORT)}
        await ours.close(2.0)
    assert router.pinholes == {}
