import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from bittern.base.address import Address
from bittern.engine.nat.lease import Wish, wishes_for
from bittern.io.nat import mapper as module
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.mapper import Mapper
from bittern.io.route import DIRECT
from bittern.wire.pcp import Carrier
from tests.engine.nat.router import EXTERNAL, Router
from tests.io.conftest import Until

from .toy import GATEWAY, HOST, HOST6, UpnpRouter, datagram_router, ear

PORT = 4321
NOWHERE = Address(HOST, 9)


@asynccontextmanager
async def mapping(mapper: Mapper) -> AsyncIterator[Mapper]:
    """It runs."""
    task = asyncio.create_task(mapper.run())
    try:
        yield mapper
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await mapper.close(1.0)


def mapper(
    port: int,
    place: Address = NOWHERE,
    told: list[int] | None = None,
    gateways: list[Gateway | None] | None = None,
    gateway6: Gateway | None = None,
) -> Mapper:
    """Asks by datagram at `port`, and searches at `place`; the router is the first of `gateways`."""
    told = told if told is not None else []
    there: list[Gateway | None] = gateways if gateways is not None else [GATEWAY]
    return Mapper(
        wishes_for(PORT, PORT),
        DIRECT.reaching,
        lambda: told.append(1),
        gateway=lambda: there[0],
        gateway6=lambda: gateway6,
        port=port,
        place=place,
        rng=Random(1),
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often, and waits for nobody."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "UPNP_AFTER_SECONDS", 0.02)


async def test_a_router_that_knows_pcp_is_not_asked_by_upnp(until: Until) -> None:
    router, other = Router("pcp"), UpnpRouter()
    async with datagram_router(router) as port, other.running() as place, mapping(mapper(port, place)) as ours:
        await until(lambda: len(ours.leases) == 2)
        assert {lease.by for lease in ours.leases} == {"PCP"}
        await asyncio.sleep(0.1)  # longer than it has to wait before it asks by UPnP
    assert (router.held, other.calls) == ({}, [])


async def test_a_router_that_lets_us_in_by_datagram_is_left_in_peace(
    until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time at which it would have been asked by UPnP goes by, and wakes nobody again and again."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    looks: list[int] = []

    def look() -> Gateway:
        looks.append(1)
        return GATEWAY

    async with datagram_router(Router("nat-pmp")) as port:
        ours = Mapper(wishes_for(PORT, PORT), DIRECT.reaching, lambda: None, gateway=look, port=port, place=NOWHERE)
        async with mapping(ours):
            await until(lambda: len(ours.leases) == 2)
            await asyncio.sleep(0.1)  # longer than it has to wait before it asks by UPnP
            before = len(looks)
            await asyncio.sleep(0.3)
            assert len(looks) == before


async def test_one_that_does_not_is_asked_by_upnp(until: Until) -> None:
    router = UpnpRouter()
    async with router.running() as place, ear(lambda _: None) as port:
        async with mapping(mapper(port, place)) as ours:
            await until(lambda: len(ours.leases) == 2)
            assert {lease.by for lease in ours.leases} == {"UPnP"}
        assert router.held == {}


async def test_its_firewall_for_ipv6_too(until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "own_address6", lambda *_: HOST6)
    router = UpnpRouter()
    async with router.running() as place, ear(lambda _: None) as port:
        both = mapper(port, place, gateway6=Gateway(HOST6, "lo"))
        async with mapping(both) as ours:
            await until(lambda: len(ours.leases) == 4)
            assert {lease.external_host for lease in ours.leases} == {EXTERNAL, HOST6}
            assert len(router.pinholes) == 2
        assert (router.held, router.pinholes) == ({}, {})


async def test_other_ports_are_asked_for_and_the_old_ones_taken_back(until: Until) -> None:
    router, told = Router("nat-pmp"), list[int]()
    async with datagram_router(router) as port, mapping(mapper(port, told=told)) as ours:
        await until(lambda: len(ours.leases) == 2)
        ours.want([Wish(Carrier.TCP, 77, 77)])
        await until(lambda: [lease.port for lease in ours.leases] == [77])
        assert list(router.held) == [(Carrier.TCP, 77)]
    assert told


async def test_wishes_that_change_while_a_router_is_left_are_those_that_count(until: Until) -> None:
    told: list[int] = []
    async with datagram_router(Router("nat-pmp")) as port:
        ours = mapper(port, told=told)
        task = asyncio.create_task(ours.run())
        await until(lambda: len(ours.leases) == 2)
    ours.want([Wish(Carrier.TCP, 77, 77)])
    await until(lambda: ours.leases == ())  # it waits for the router to take them back, which is gone
    before = len(told)
    ours.want([])
    await until(lambda: len(told) > before + 1)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    await ours.close(1.0)


@pytest.mark.parametrize("only_permanent", [False, True])
async def test_who_ends_it_while_a_router_is_left_waits_until_that_has_everything_back(
    until: Until, *, only_permanent: bool
) -> None:
    router = UpnpRouter(only_permanent=only_permanent)
    async with router.running() as place, ear(lambda _: None) as port:
        ours = mapper(port, place)
        task = asyncio.create_task(ours.run())
        await until(lambda: len(ours.leases) == 2)
        ours.want([Wish(Carrier.TCP, 77, 77)])
        await until(lambda: ours.leases == ())
        task.cancel()
        await asyncio.wait([task])
        await ours.close(5.0)
        assert router.held == {}


async def test_a_network_that_changes_is_followed(until: Until) -> None:
    gateways: list[Gateway | None] = [None]
    async with datagram_router(Router("pcp")) as port, mapping(mapper(port, gateways=gateways)) as ours:
        await asyncio.sleep(0.1)
        assert ours.leases == ()
        gateways[0] = GATEWAY
        await until(lambda: len(ours.leases) == 2)
        gateways[0] = None
        await until(lambda: len(ours.leases) == 0)


async def test_where_our_address_is_one_of_the_whole_world_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    seen: list[Gateway] = []

    def public(gateway: Gateway, _: object) -> str:
        seen.append(gateway)
        return "8.8.8.8"

    monkeypatch.setattr(module, "own_address", public)
    asked: list[bytes] = []
    async with ear(asked.append) as port, mapping(mapper(port)):
        await until(lambda: len(seen) > 3)
    assert asked == []


async def test_a_refusal_by_one_protocol_leads_to_the_other_and_both_are_told(
    until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bittern.nat")
    router = UpnpRouter(refuses={"AddPortMapping": 606})
    async with datagram_router(Router("pcp", refuses=2)) as port, router.running() as place:
        async with mapping(mapper(port, place)) as ours:
            await until(lambda: len(caplog.messages) > 1)
            await until(lambda: router.calls.count("AddPortMapping") > 1)
        assert ours.leases == ()
    assert sorted(caplog.messages) == [  # each of them once
        "the router does not allow it",
        "the router refuses AddPortMapping: no (606)",
    ]


async def test_the_router_for_ipv6_is_asked_by_pcp_to_let_others_in(
    monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """The address is ours already: it is the router's firewall that is asked."""
    monkeypatch.setattr(module, "own_address6", lambda *_: "2a00::5")
    router = Router("pcp")
    async with datagram_router(router, "::1") as port:
        asks = Mapper(
            wishes_for(PORT, PORT),
            DIRECT.reaching,
            lambda: None,
            gateway=lambda: None,
            gateway6=lambda: Gateway("::1", "lo"),
            port=port,
        )
        async with mapping(asks) as ours:
            await until(lambda: len(ours.leases) == 2)
            assert {(lease.external_host, lease.external_port) for lease in ours.leases} == {("2a00::5", PORT)}
    assert router.held == {}
