"""A home behind a router, and the rest of the world: three network namespaces, with miniupnpd on the router.

Nothing in them reaches, or is reached from, anything beyond.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running
from tests.interop.rigs.star import held, run_in

HOME = "10.97.0.2"
LAN = "10.97.0.1"
WAN = "5.5.5.1"  # miniupnpd wants an address of the whole world; here it is nobody's
WORLD = "5.5.5.2"
HOME6 = "2a00:1::2"  # likewise

_NETS6 = {"lan": "2a00:1::", "wan": "2a00:2::"}
_RULES = """
table inet miniupnpd {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain input { type filter hook input priority 0; policy accept; %s }
  chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept;
    iifname lan accept; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd;
    oifname wan masquerade; }
}
"""
_CONFIG = """
ext_ifname=wan
ext_ifname6=wan
listening_ip=lan
port=0
enable_natpmp={datagrams}
enable_upnp={upnp}
secure_mode=yes
system_uptime=yes
notify_interval=60
uuid=12345678-1234-1234-1234-123456789abc
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
lease_file={leases}
lease_file6={leases}6
allow 1024-65535 10.97.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
DROP_PCP = "iifname lan udp dport 5351 @th,64,8 2 drop;"
"""A rule of a router that hears nothing of PCP."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The three.

    Attributes:
        home: who is behind the router.
        router: where miniupnpd runs.
        world: who is beyond it.
    """

    home: Place
    router: Place
    world: Place

    def mappings(self) -> str:
        """What the router leads on, as nft lists it."""
        return run_in(self.router, "nft list chain inet miniupnpd prerouting_miniupnpd")

    def allowed(self) -> str:
        """What it lets through, likewise."""
        return run_in(self.router, "nft list chain inet miniupnpd miniupnpd")


@contextmanager
def gateway(folder: Path, *, upnp: bool, datagrams: bool, rules: str = "") -> Iterator[Gateway]:
    """The home and its router; needs what `missing_for_namespace` asks for, `nft` and `miniupnpd`.

    Args:
        folder: for logs.
        upnp: whether the router speaks UPnP.
        datagrams: whether it speaks PCP and NAT-PMP.
        rules: of nft for what comes to it.
    """
    with ExitStack() as stack:
        setup = "ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
        router = held(stack, folder / "router.log", LAN, setup)
        home = held(stack, folder / "home.log", HOME, "ip link set lo up")
        world = held(stack, folder / "world.log", WORLD, "ip link set lo up")
        _join(router, "lan", LAN, home, HOME)
        _join(router, "wan", WAN, world, WORLD)
        run_in(home, f"ip route add default via {LAN}")
        run_in(home, "ip -6 route add default via fe80::1 dev eth0")  # as routers announce themselves (RFC 4861)
        run_in(world, "ip -6 route add default via 2a00:2::1")
        table, config = folder / "rules.nft", folder / "miniupnpd.conf"
        table.write_text(_RULES % rules)
        run_in(router, f"nft -f {table}")
        on = {True: "yes", False: "no"}
        config.write_text(_CONFIG.format(upnp=on[upnp], datagrams=on[datagrams], leases=folder / "leases"))
        command = [*router.enter, "miniupnpd", "-d", "-f", str(config), "-P", str(folder / "miniupnpd.pid")]
        stack.enter_context(Running(command, folder / "miniupnpd.log"))
        yield Gateway(home, router, world)


def _join(router: Place, port: str, address: str, other: Place, theirs: str) -> None:
    commands: Sequence[str] = (
        f"ip link add name {port} type veth peer name eth0 netns {other.namespace}",
        f"ip addr add {address}/24 dev {port}",
        f"ip addr add {_NETS6[port]}1/64 dev {port} nodad",
        f"ip addr add fe80::1/64 dev {port} nodad",
        f"ip link set {port} up",
    )
    for command in commands:
        run_in(router, command)
    run_in(other, f"ip addr add {theirs}/24 dev eth0")
    run_in(other, f"ip addr add {_NETS6[port]}2/64 dev eth0 nodad")
    run_in(other, "ip link set eth0 up")
