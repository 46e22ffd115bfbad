"""Hosts on a switch: network namespaces with an address each, behind links as fast as wanted (`tc tbf`).

Nothing in them reaches, or is reached from, anything beyond. Each lives as long as the process that holds it.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running

NET = "10.98.0"
SWITCH_HOST = 254
MOST_HOSTS = 200
BURST_BYTES = 16 << 10
QUEUE_MILLISECONDS = 50


@dataclass(frozen=True, slots=True)
class Link:
    """Bits per second that a host may send and receive, headers included; None for no limit."""

    up: int | None = None
    down: int | None = None


@dataclass(frozen=True, slots=True)
class Star:
    """The switch, which has an address itself, and its hosts."""

    switch: Place
    hosts: tuple[Place, ...]

    def sent(self, host: int) -> int:
        """Bytes that a host has sent to the others so far, headers included."""
        command = [*self.switch.enter, "ip", "-statistics", "-json", "link", "show", "dev", _port(host)]
        shown = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return int(shown[0]["stats64"]["rx"]["bytes"])


@contextmanager
def star(folder: Path, links: Sequence[Link]) -> Iterator[Star]:
    """A switch with a host behind each of `links`; needs what `missing_for_namespace` asks for, and `tc`."""
    assert len(links) <= MOST_HOSTS
    with ExitStack() as stack:
        up = f"ip link add name sw type bridge && ip addr add {NET}.{SWITCH_HOST}/24 dev sw && ip link set sw up"
        switch = held(stack, folder / "switch.log", NET + f".{SWITCH_HOST}", up)
        hosts = []
        for number, link in enumerate(links):
            address = f"{NET}.{number + 1}"
            host = held(stack, folder / f"host-{number}.log", address, "ip link set lo up")
            hosts.append(host)
            port = _port(number)
            _run(
                switch,
                f"ip link add name {port} type veth peer name eth0 netns {host.namespace}",
                f"ip link set {port} master sw up",
                *_limit(port, link.down),
            )
            _run(host, f"ip addr add {address}/24 dev eth0", "ip link set eth0 up", *_limit("eth0", link.up))
        yield Star(switch, tuple(hosts))


def _port(host: int) -> str:
    return f"port{host}"


def held(stack: ExitStack, log: Path, address: str, setup: str) -> Place:
    """A network namespace that lives as long as `stack`.

    Args:
        stack: ends it.
        log: of the process that holds it.
        address: that it will have.
        setup: a command of the shell that is run in it first.
    """
    holder = stack.enter_context(
        Running(["unshare", "-n", "sh", "-c", f"{setup} && echo up && exec cat"], log, talks=True)
    )
    if holder.read_line(10) != "up":
        raise holder.failure("could not set up the network namespace")
    return Place(address, holder.pid)


def _limit(device: str, bits_per_second: int | None) -> list[str]:
    if bits_per_second is None:
        return []
    how = f"rate {bits_per_second}bit burst {BURST_BYTES} latency {QUEUE_MILLISECONDS}ms"
    return [f"tc qdisc add dev {device} root tbf {how}"]


def _run(place: Place, *commands: str) -> None:
    for command in commands:
        run_in(place, command)


def run_in(place: Place, command: str) -> str:
    """What a command says that is run in a place; a RuntimeError with what it complains of where it fails."""
    done = subprocess.run([*place.enter, *command.split()], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout
