import asyncio
import errno
import socket
from collections.abc import Generator
from random import Random
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.base.errors import GatewayError
from bittern.engine.nat.igd import Answers
from bittern.engine.nat.lease import MOST_RENEWAL, Lease, wishes_for
from bittern.io.nat import upnp as module
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.soap import Dial, run
from bittern.io.nat.upnp import CHECK_SECONDS, Upnp, find
from bittern.io.route import DIRECT
from bittern.wire.igd import Call
from bittern.wire.pcp import Carrier
from tests.engine.nat.router import EXTERNAL

from .toy import GATEWAY, HOST, UpnpRouter

PORT = 4321


def upnp(place: Address, told: list[int] | None = None) -> Upnp:
    told = told if told is not None else []
    return Upnp(GATEWAY, HOST, wishes_for(PORT, PORT), DIRECT.reaching, lambda: told.append(1), Random(1), place=place)


@pytest.mark.parametrize("chunked", [False, True])
async def test_both_ports_are_mapped_and_taken_back(*, chunked: bool) -> None:
    router, told = UpnpRouter(chunked=chunked), list[int]()
    async with router.running() as place:
        ours = upnp(place, told)
        assert await ours.hold() == MOST_RENEWAL
        assert ours.leases == tuple(Lease(carrier, PORT, PORT, EXTERNAL, "UPnP") for carrier in Carrier)
        assert router.held == {("TCP", PORT): PORT, ("UDP", PORT): PORT}
        assert await ours.hold() == MOST_RENEWAL  # renewed, and nothing new to tell
        assert told == [1]
        await ours.close(2.0)
    assert router.held == {}


async def test_a_router_without_leases_is_looked_after_all_the_same() -> None:
    router = UpnpRouter(refuses={"GetExternalIPAddress": 501})
    async with router.running() as place:
        ours = upnp(place)
        add, router.refuses["AddPortMapping"] = router.refuses, 725
        with pytest.raises(GatewayError, match="725"):
            await ours.hold()
        del add["AddPortMapping"]
        assert await ours.hold() <= max(CHECK_SECONDS, MOST_RENEWAL)
        assert [lease.external_host for lease in ours.leases] == [None, None]


async def test_a_refusal_is_kept_for_people_and_nothing_is_held() -> None:
    router = UpnpRouter(refuses={"AddPortMapping": 606})
    async with router.running() as place:
        ours = upnp(place)
        with pytest.raises(GatewayError):
            await ours.hold()
        assert ours.refusal == "the router refuses AddPortMapping: no (606)"
        assert ours.leases == ()


async def test_a_network_that_is_gone_meanwhile_is_a_router_that_can_not_be_asked() -> None:
    """Our address in it is no more, or the way to the router."""

    def nowhere(*_: object) -> socket.socket:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    with pytest.raises(GatewayError, match=r"Cannot assign requested address"):
        await find(GATEWAY, "192.0.2.99", DIRECT.reaching)
    with pytest.raises(GatewayError, match=r"the router at .*Network is unreachable"):
        await find(GATEWAY, HOST, nowhere)


@pytest.mark.parametrize(
    "router",
    [
        UpnpRouter(control="http://127.0.0.2/ctl"),
        UpnpRouter(description=b"<!DOCTYPE a [<!ENTITY b 'c'>]><root>&b;</root>"),
        UpnpRouter(description=b"<root>" + b" " * (200 << 10) + b"</root>"),
        UpnpRouter(description=b"\x00garbage"),
        UpnpRouter(description=b"<root/>"),
        UpnpRouter(control="https://127.0.0.1/ctl"),
    ],
    ids=["another host", "document type", "too long", "garbage", "no service", "another scheme"],
)
async def test_a_description_that_leads_elsewhere_or_is_none_is_refused(router: UpnpRouter) -> None:
    async with router.running() as place:
        with pytest.raises(GatewayError):
            await upnp(place).hold()
    assert router.calls == []


async def test_who_is_not_the_router_is_not_heard() -> None:
    """Neither another host that answers the search, nor the router where it points to another host."""
    other = UpnpRouter()
    async with other.running() as place:
        with pytest.raises(GatewayError, match="speaks no UPnP"):
            async with asyncio.timeout(10):
                await find(Gateway("127.0.0.2", "lo"), HOST, DIRECT.reaching, place, 0.2)
    pointing = UpnpRouter(place="http://127.0.0.2:80/root.xml")
    async with pointing.running() as place:
        with pytest.raises(GatewayError, match="speaks no UPnP"):
            await find(GATEWAY, HOST, DIRECT.reaching, place, 0.2)


async def test_a_router_that_is_gone_is_no_reason_to_wait_at_the_end() -> None:
    router = UpnpRouter()
    async with router.running() as place:
        ours = upnp(place)
        await ours.hold()
    async with asyncio.timeout(1.0):
        await ours.close(0.5)
    assert ours.leases == ()


async def test_a_mapping_that_is_not_renewed_once_is_taken_back_and_asked_for_at_its_port_again() -> None:
    """One without an end, at the port that a conflict led to: nobody but us would ever take it back."""
    router = UpnpRouter(only_permanent=True, taken={("TCP", PORT)})
    async with router.running() as place:
        ours = upnp(place)
        assert await ours.hold() == CHECK_SECONDS
        before, held = ours.leases, dict(router.held)
        assert ours.leases[0].external_port != PORT
        router.refuses["AddPortMapping"] = 501
        with pytest.raises(GatewayError, match="501"):
            await ours.hold()
        assert ours.leases == ()
        del router.refuses["AddPortMapping"]
        await ours.hold()
        assert (ours.leases, router.held) == (before, held)
        router.refuses["AddPortMapping"] = 501
        with pytest.raises(GatewayError, match="501"):
            await ours.hold()
        await ours.close(2.0)
    assert router.held == {}


async def test_who_is_cancelled_while_it_renews_takes_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, asked = asyncio.Event(), list[int]()

    async def hangs(course: Generator[Call, Answers, Any], dial: Dial) -> Any:
        asked.append(1)
        if len(asked) > 1:  # the first asks for the router's address
            begun.set()
            await asyncio.Event().wait()
        return await run(course, dial)

    router = UpnpRouter()
    async with router.running() as place:
        ours = upnp(place)
        await ours.hold()
        with monkeypatch.context() as patched:
            patched.setattr(module, "run", hangs)
            renewing = asyncio.create_task(ours.hold())
            await begun.wait()
            renewing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await renewing
        await ours.close(2.0)
    assert router.held == {}
