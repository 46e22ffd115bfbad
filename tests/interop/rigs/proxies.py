"""Three hosts: sessions of ours, the proxies that they are to use, and the world that only those may speak with.

Names are known to the proxies alone. A counter of the first host's firewall knows of everything that went elsewhere.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.star import Link, star

DRIVERS = Path(__file__).parents[1] / "drivers"
SOCKS_PORT, HTTP_PORT = 1080, 8888
USER, PASSWORD = "ann", "secret"

_DANTE = """
logoutput: stderr
internal: {host} port = {port}
external: {host}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect {udp} }}
"""
_TINYPROXY = """
Port {port}
Listen {host}
Timeout 60
MaxClients 500
LogLevel Error
BasicAuth {user} {password}
"""
_COUNTER = """
table inet proof {{
    counter outside {{ }}
    chain out {{
        type filter hook output priority 0
        oifname "lo" accept
        meta l4proto icmpv6 accept
        ip daddr {proxy} accept
        counter name outside
    }}
}}
"""
# In a mount namespace of its own a program has its own idea of names.
_WITH_FILE = 'mount --bind "$0" "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class World:
    """What there is.

    Attributes:
        here: where sessions of ours are.
        proxy: the address of the proxies.
        address: that of everything else.
        folder: has torrents: all, bare, http, udp, web.
        facts: ports and URLs of the world.
        sessions: runs sessions.
    """

    here: Place
    proxy: str
    address: str
    folder: Path
    facts: dict[str, Any]
    sessions: Running

    def run(self, jobs: list[dict[str, Any]], seconds: float) -> tuple[list[str], int]:
        """What became of each session, and how many sockets listened meanwhile at most."""
        self.sessions.say(json.dumps({"jobs": jobs, "seconds": seconds}))
        told = json.loads(self.sessions.read_line(seconds + 60))
        return told["states"], told["listening"]

    def outside(self) -> int:
        """Packets that went elsewhere than to the proxy, since the last time."""
        command = [*self.here.enter, "nft", "-j", "reset", "counter", "inet", "proof", "outside"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return next(int(each["counter"]["packets"]) for each in found["nftables"] if "counter" in each)

    def source(self, name: str) -> str:
        """The path of a torrent."""
        return str(self.folder / f"{name}.torrent")

    @property
    def socks(self) -> str:
        """SOCKS, up to the scheme."""
        return f"{self.proxy}:{SOCKS_PORT}"

    @property
    def http(self) -> str:
        """The proxy of the web."""
        return f"http://{USER}:{PASSWORD}@{self.proxy}:{HTTP_PORT}"


@contextmanager
def world(folder: Path, *, udp: bool = True) -> Iterator[World]:
    """Everything at work; `udp`: whether the SOCKS proxy takes datagrams."""
    content = folder / "world" / "content.bin"
    content.parent.mkdir()
    content.write_bytes(Random(1).randbytes(200_000))
    with star(folder, [Link(), Link(), Link()]) as hosts:
        here, middle, there = hosts.hosts
        names = _file(
            folder, "hosts", f"127.0.0.1 localhost\n{there.address} tracker.test web.test router.test seed.test\n"
        )
        resolver = _file(folder, "resolv.conf", f"nameserver {there.address}\noptions timeout:1 attempts:1\n")
        _do(here, "ip", "route", "add", "default", "via", there.address)  # so that there is a way out at all
        _do(here, "nft", "-f", _file(folder, "rules", _COUNTER.format(proxy=middle.address)))
        commands = "udpassociate udpreply" if udp else ""
        dante = _file(folder, "danted.conf", _DANTE.format(host=middle.address, port=SOCKS_PORT, udp=commands))
        tiny = _TINYPROXY.format(host=middle.address, port=HTTP_PORT, user=USER, password=PASSWORD)
        programs = (
            ("danted", [*_with(middle, names, "/etc/hosts"), "danted", "-f", dante]),
            (
                "tinyproxy",
                [*_with(middle, names, "/etc/hosts"), "tinyproxy", "-d", "-c", _file(folder, "tiny.conf", tiny)],
            ),
        )
        driver = [sys.executable, str(DRIVERS / "proxied_world.py"), there.address, str(content.parent)]
        ours = [sys.executable, str(DRIVERS / "proxied_sessions.py"), str(folder)]
        with (
            Running(programs[0][1], folder / "danted.log"),
            Running(programs[1][1], folder / "tinyproxy.log"),
            Running([*there.enter, *driver], folder / "world.log", talks=True) as rest,
            Running(
                [*_with(here, resolver, "/etc/resolv.conf"), *ours], folder / "sessions.log", talks=True
            ) as sessions,
        ):
            facts = json.loads(rest.read_line(60))
            for port in (SOCKS_PORT, HTTP_PORT):
                assert wait_until(partial(_listens, middle, port), 10), "a proxy does not listen"
            yield World(here, middle.address, there.address, content.parent, facts, sessions)


def _with(place: Place, file: str, target: str) -> list[str]:
    return [*place.enter, "unshare", "-m", "sh", "-c", _WITH_FILE, file, target]


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _do(place: Place, *command: str) -> None:
    subprocess.run([*place.enter, *command], check=True, capture_output=True)


def _listens(place: Place, port: int) -> bool:
    command = [*place.enter, "ss", "-Hltn", f"sport = :{port}"]
    return bool(subprocess.run(command, check=True, capture_output=True).stdout)
