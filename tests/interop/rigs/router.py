"""Hosts behind routers that translate addresses (nft masquerade) and let nothing in that was not asked for."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running

INSIDE = "192.168.77"
RULES = """
table ip translate {
  chain leave { type nat hook postrouting priority 100; oifname eth0 masquerade CHOOSE; }
}
table ip guard {
  chain enter {
    type filter hook input priority 0;
    iifname eth0 ct state established,related accept
    iifname eth0 drop
  }
  chain through {
    type filter hook forward priority 0; policy drop;
    iifname inside accept
    ct state established,related accept
  }
}
"""


class Masquerade(Enum):
    """How a router chooses outer ports."""

    KEEP = ""
    """The inner one where it is free: the same for all targets."""
    RANDOM = "fully-random"
    """Another one for each target (a symmetric NAT)."""


@contextmanager
def behind(router: Place, log: Path, masquerade: Masquerade = Masquerade.KEEP) -> Iterator[Place]:
    """A host whose only way out is through `router`, a host of a star; needs `nft`.

    Only what belongs to a conversation that the host began comes in.
    """
    rules = RULES.replace("CHOOSE", masquerade.value)
    holding = ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec cat"]
    with Running(holding, log, talks=True) as holder:
        if holder.read_line(10) != "up":
            raise holder.failure("could not set up the network namespace")
        host = Place(f"{INSIDE}.2", holder.pid)
        _run(router, f"ip link add inside type veth peer name eth0 netns {host.namespace}")
        _run(router, f"ip addr add {INSIDE}.1/24 dev inside", "ip link set inside up", "nft -f -", text=rules)
        _run(router, "sysctl -q -w net.ipv4.ip_forward=1")
        _run(host, f"ip addr add {INSIDE}.2/24 dev eth0", "ip link set eth0 up", f"ip route add default via {INSIDE}.1")
        yield host


def _run(place: Place, *commands: str, text: str = "") -> None:
    for command in commands:
        subprocess.run([*place.enter, *command.split()], check=True, capture_output=True, input=text.encode())
