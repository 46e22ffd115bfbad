from pathlib import Path

import pytest

from bittern.io.nat import gateways
from bittern.io.nat.gateways import Gateway, default_gateway, own_address
from bittern.io.route import DIRECT

HEADING = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
# Little-endian, as on every machine that this is tested on.
FOUR = (
    "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "tun0\t00000000\t0100080A\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"
    "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    "eth0\t000000E0\t0101A8C0\t0003\t0\t0\t0\t000000F0\t0\t0\t0\n"
)
NONE = "0" * 32
SIX = (
    f"fd000000000000000000000000000000 40 {NONE} 00 {NONE} 00000100 00000001 00000000 00000001     eth0\n"
    f"{NONE} 00 {NONE} 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n"
    f"{NONE} 00 {NONE} 00 20010db8000000000000000000000001 00000800 00000003 00000000 00000003     tun0\n"
    f"{NONE} 00 {NONE} 00 {NONE} ffffffff 00000001 00000000 00200200       lo\n"
)


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("ROUTES_V4", HEADING + FOUR), ("ROUTES_V6", SIX)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(gateways, name, tmp_path / name)


@pytest.mark.usefixtures("routes")
def test_the_default_route_of_least_metric_leads_to_the_router() -> None:
    assert default_gateway() == Gateway("10.8.0.1", "tun0")
    assert default_gateway(interface="eth0") == Gateway("192.168.1.1", "eth0")
    assert default_gateway(interface="wlan0") is None
    assert default_gateway(ipv6=True) == Gateway("fe80::1%eth0", "eth0")
    assert default_gateway(ipv6=True, interface="tun0") == Gateway("2001:db8::1", "tun0")


def test_where_the_system_tells_nothing_there_is_no_router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "ROUTES_V4", tmp_path / "nothing")
    assert default_gateway() is None
    (tmp_path / "odd").write_text(
        HEADING + "eth0\nx\ty\tz\n\n" + "eth0\t00000000\tFFFFFFFFFF\t0003\t0\t0\t0\t00000000\n"
    )
    monkeypatch.setattr(gateways, "ROUTES_V4", tmp_path / "odd")
    assert default_gateway() is None


def test_our_own_address_is_the_one_that_the_system_would_send_from() -> None:
    assert own_address(Gateway("127.0.0.1", "lo"), DIRECT.reaching) == "127.0.0.1"
    assert own_address(Gateway("no address", "lo"), DIRECT.reaching) is None
