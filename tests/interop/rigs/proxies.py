"""Three hosts: sessions of ours, the proxies that they are to use, and the world that only those may speak with.

Names are known to the proxies alone. A counter of the first host's firewall knows of everything that went elsewhere.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.star import Link, star

DRIVERS = Path(__file__).parents[1] / "drivers"
PROXY6, WORLD6 = "fd00:98::2", "fd00:98::3"
"""Of the proxies, and of everything else; the host of the sessions has none."""
SOCKS_PORT, GUARDED_SOCKS_PORT, HTTP_PORT = 1080, 1081, 8888
USER, PASSWORD = "ann", "secret"

_DANTE = """
logoutput: stderr
internal: {host} port = {port}
external: {host}
external: {host6}
external.rotation: route
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0/0 command: connect udpassociate udpreply }}
"""
_PASSWD = f"""\
root:x:0:0::/:/bin/sh
nobody:x:65534:65534::/:/bin/false
{USER}:x:1000:1000::/:/bin/false
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
# In a mount namespace of its own a program has its own idea of names, and of users.
_WITH_FILES = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 1; shift 2; done; shift; exec "$@"'


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

    def guarded_socks(self, password: str = PASSWORD) -> str:
        """One that wants a name and password."""
        return f"socks5://{USER}:{password}@{self.proxy}:{GUARDED_SOCKS_PORT}"

    @property
    def http(self) -> str:
        """The proxy of the web."""
        return f"http://{USER}:{PASSWORD}@{self.proxy}:{HTTP_PORT}"


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Everything at work."""
    content = folder / "world" / "content.bin"
    content.parent.mkdir()
    content.write_bytes(Random(1).randbytes(200_000))
    with star(folder, [Link(), Link(), Link()]) as hosts:
        here, middle, there = hosts.hosts
        for host, address in ((middle, PROXY6), (there, WORLD6)):
            _do(host, "ip", "-6", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
        names = _file(
            folder, "hosts", f"127.0.0.1 localhost\n{there.address} tracker.test web.test router.test seed.test\n"
        )
        resolver = _file(folder, "resolv.conf", f"nameserver {there.address}\noptions timeout:1 attempts:1\n")
        _do(here, "ip", "route", "add", "default", "via", there.address)  # so that there is a way out at all
        _do(here, "nft", "-f", _file(folder, "rules", _COUNTER.format(proxy=middle.address)))
        users = {"/etc/passwd": _file(folder, "passwd", _PASSWD), "/etc/shadow": _file(folder, "shadow", _shadow())}
        dante, guarded = (
            _file(
                folder,
                f"danted-{port}.conf",
                _DANTE.format(host=middle.address, host6=PROXY6, port=port, method=method),
            )
            for port, method in ((SOCKS_PORT, "none"), (GUARDED_SOCKS_PORT, "username"))
        )
        tiny = _TINYPROXY.format(host=middle.address, port=HTTP_PORT, user=USER, password=PASSWORD)
        knowing = {"/etc/hosts": names}
        programs = {
            "danted": [*_with(middle, knowing), "danted", "-f", dante],
            "guarded": [*_with(middle, knowing | users), "danted", "-f", guarded],
            "tinyproxy": [*_with(middle, knowing), "tinyproxy", "-d", "-c", _file(folder, "tiny.conf", tiny)],
        }
        driver = [sys.executable, str(DRIVERS / "proxied_world.py"), there.address, WORLD6, str(content.parent)]
        ours = [sys.executable, str(DRIVERS / "proxied_sessions.py"), str(folder)]
        with ExitStack() as stack:
            for name, command in programs.items():
                stack.enter_context(Running(command, folder / f"{name}.log"))
            rest = stack.enter_context(Running([*there.enter, *driver], folder / "world.log", talks=True))
            inside = _with(here, {"/etc/resolv.conf": resolver})
            sessions = stack.enter_context(Running([*inside, *ours], folder / "sessions.log", talks=True))
            facts = json.loads(rest.read_line(60))
            for port in (SOCKS_PORT, GUARDED_SOCKS_PORT, HTTP_PORT):
                assert wait_until(partial(_listens, middle, port), 10), "a proxy does not listen"
            yield World(here, middle.address, there.address, content.parent, facts, sessions)


def _with(place: Place, files: Mapping[str, str]) -> list[str]:
    pairs = [word for target, file in files.items() for word in (file, target)]
    return [*place.enter, "unshare", "-m", "sh", "-c", _WITH_FILES, "sh", *pairs, "--"]


def _shadow() -> str:
    command = ["openssl", "passwd", "-6", PASSWORD]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return f"{USER}:{hashed}:19000:0:99999:7:::\n"


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _do(place: Place, *command: str) -> None:
    subprocess.run([*place.enter, *command], check=True, capture_output=True)


def _listens(place: Place, port: int) -> bool:
    command = [*place.enter, "ss", "-Hltn", f"sport = :{port}"]
    return bool(subprocess.run(command, check=True, capture_output=True).stdout)
