"""A machine with two ways out, of which one is a tunnel: what goes by the other is counted.

Two network namespaces, joined twice. The world has one address that both ways lead to; the default route is the other
way, as on a machine whose tunnel is not what the system would choose. Resets are not counted: with those the system
itself answers, by its own routes, what still comes for connections that are gone.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.star import held, run_in

WORLD = "7.7.7.7"
OURS = "10.96.2.2"
OPEN = "10.96.1.2"

_RULES = """
table inet leaks {
  counter leaked { }
  chain output { type filter hook output priority 0; policy accept;
    oifname out tcp flags & rst == rst return;
    oifname out ip protocol { tcp, udp, igmp } counter name leaked;
    oifname out ip6 nexthdr { tcp, udp } counter name leaked; }
}
"""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The two.

    Attributes:
        ours: the machine; its address is that in the tunnel.
        world: the other end of both ways.
    """

    ours: Place
    world: Place

    def leaked(self) -> int:
        """Packets that went out by the other way so far."""
        listed = json.loads(run_in(self.ours, "nft -j list counter inet leaks leaked"))
        return int(next(item["counter"]["packets"] for item in listed["nftables"] if "counter" in item))

    def up(self) -> None:
        """The tunnel is there, from now on or again."""
        run_in(self.world, f"ip link add name inner type veth peer name tun0 netns {self.ours.namespace}")
        run_in(self.world, "ip addr add 10.96.2.1/24 dev inner")
        run_in(self.world, "ip link set inner up")
        run_in(self.ours, f"ip addr add {OURS}/24 dev tun0")
        run_in(self.ours, "ip link set tun0 up")
        run_in(self.ours, "ip route add default via 10.96.2.1 dev tun0 metric 500")

    def down(self) -> None:
        """The tunnel is gone."""
        with suppress(RuntimeError):
            run_in(self.world, "ip link del inner")


@contextmanager
def tunnel(folder: Path) -> Iterator[Tunnel]:
    """The machine and the world; needs what `missing_for_namespace` asks for, and `nft`."""
    with ExitStack() as stack:
        world = held(stack, folder / "world.log", WORLD, f"ip link set lo up && ip addr add {WORLD}/32 dev lo")
        ours = held(stack, folder / "ours.log", OURS, "ip link set lo up")
        run_in(world, f"ip link add name outer type veth peer name out netns {ours.namespace}")
        run_in(world, "ip addr add 10.96.1.1/24 dev outer")
        run_in(world, "ip link set outer up")
        run_in(ours, f"ip addr add {OPEN}/24 dev out")
        run_in(ours, "ip link set out up")
        run_in(ours, "ip route add default via 10.96.1.1 dev out")
        rules = folder / "rules.nft"
        rules.write_text(_RULES)
        run_in(ours, f"nft -f {rules}")
        both = Tunnel(ours, world)
        both.up()
        yield both
