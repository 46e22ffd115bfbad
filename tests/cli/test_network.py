import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from math import inf
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.cli.failures import UsageError
from bittern.cli.network import Network, session_settings
from bittern.io.nat.gateways import FAR6, default_gateway
from bittern.session.dht import ROUTERS
from bittern.session.settings import Settings
from tests.session.rig import PIECE, fill, seeding, torrent


def test_flags_become_settings() -> None:
    network = Network(
        port=5000, listen=("127.0.0.1", "::1"), max_peers=5, down_limit=1000, up_limit=2000, no_trackers=True
    )
    settings = session_settings(network, sequential=True, ratio=1.5, minutes=2.0)
    assert (settings.port, settings.listen, settings.max_peers) == (5000, ("127.0.0.1", "::1"), 5)
    assert (settings.down_bytes_per_second, settings.up_bytes_per_second) == (1000, 2000)
    assert (settings.use_trackers, settings.sequential) == (False, True)
    assert (settings.seed_ratio, settings.seed_minutes) == (1.5, 2.0)


def test_both_transports_are_used_unless_one_is_switched_off() -> None:
    for network, both in ((Network(), (True, True)), (Network(no_tcp=True), (False, True))):
        assert (of_flags(network).tcp, of_flags(network).utp) == both
    assert (of_flags(Network(no_utp=True)).tcp, of_flags(Network(no_utp=True)).utp) == (True, False)


def test_utp_may_be_tried_first_where_there_is_any() -> None:
    assert [of_flags(Network(utp_first=first)).utp_first for first in (False, True)] == [False, True]
    with pytest.raises(UsageError, match="--utp-first --no-utp"):
        of_flags(Network(utp_first=True, no_utp=True))


def test_one_word_about_encryption_holds_for_both_directions() -> None:
    assert (of_flags(Network()).encryption_in, of_flags(Network()).encryption_out) == ("prefer", "prefer")
    settings = of_flags(Network(encryption="require"))
    assert (settings.encryption_in, settings.encryption_out) == ("require", "require")


def test_without_flags_there_are_no_limits() -> None:
    settings = session_settings(Network(), sequential=False, ratio=None, minutes=None)
    assert (settings.port, settings.down_bytes_per_second, settings.use_trackers) == (None, inf, True)


@pytest.mark.parametrize("network", [Network(up_limit=0), Network(port=-1), Network(listen=("x",))])
def test_bad_values_are_refused(network: Network) -> None:
    with pytest.raises((UsageError, SessionError)):
        session_settings(network, sequential=False, ratio=None, minutes=None)


# --- the distributed hash table: on unless it is switched off, but never in a test beyond this machine


def of_flags(network: Network) -> Settings:
    return session_settings(network, sequential=False, ratio=None, minutes=None)


def test_the_table_begins_with_well_known_nodes_or_with_those_that_are_named() -> None:
    assert (of_flags(Network()).dht, of_flags(Network()).dht_routers) == (True, ROUTERS)
    named = of_flags(Network(dht_router=("127.0.0.1:1",), listen=("127.0.0.1",)))
    assert (named.dht, named.dht_routers) == (True, ("127.0.0.1:1",))
    assert not of_flags(Network(no_dht=True)).dht
    assert not of_flags(Network(no_dht=True, dht_router=("127.0.0.1:1",))).dht


def test_the_router_is_asked_for_ports_unless_that_is_switched_off() -> None:
    assert of_flags(Network()).port_mapping
    assert not of_flags(Network(no_nat=True)).port_mapping
    assert not Settings().port_mapping  # nor by a library that nobody told to


def test_where_only_this_machine_is_listened_to_nobody_outside_is_asked() -> None:
    assert not of_flags(Network(listen=("127.0.0.1", "::1"))).dht
    assert of_flags(Network(listen=("127.0.0.1", "192.0.2.1"))).dht_routers == ROUTERS


ALARMED = """
import sys
from bittern.cli.main import main

def watch(event, details):
    if event == "socket.getaddrinfo" or event in ("socket.sendto", "socket.connect"):
        host = str(details[0] if event == "socket.getaddrinfo" else details[1][0])
        if not host.startswith("127.") and host not in ("::1", "localhost"):
            sys.stderr.write(f"LEAVES: {host}\\n")
            raise OSError("nothing leaves this machine")

sys.addaudithook(watch)
sys.exit(main(sys.argv[1:]))
"""


def leaving(*words: str, folder: Path, environment: Mapping[str, str] = os.environ) -> set[str]:
    """The hosts that a command would look up or send to, but for this machine; none of them is reached."""
    command = [sys.executable, "-c", ALARMED, *words, "--port", "0", "--no-lsd", "--timeout", "6"]
    done = subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    return set(re.findall(r"^LEAVES: (.*)$", done.stderr, re.MULTILINE))


def test_no_command_that_a_test_runs_looks_up_or_sends_to_anybody_outside(tmp_path: Path) -> None:
    """The environment of all tests (tests/conftest.py) sees to it; without that this would be noticed."""
    assert leaving("get", "ab" * 20, folder=tmp_path) == set()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("BITTERN_")}
    assert leaving("get", "ab" * 20, folder=tmp_path, environment={**bare, "BITTERN_NO_NAT": "1"}) == {
        router.rpartition(":")[0] for router in ROUTERS
    }
    gateway = default_gateway()
    asked = {gateway.host} if gateway is not None else set()
    asked |= {FAR6} if default_gateway(ipv6=True) is not None else set()  # by which address we would reach the world
    assert leaving("get", "ab" * 20, folder=tmp_path, environment={**bare, "BITTERN_NO_DHT": "1"}) == asked


def test_the_commands_of_the_table_ask_nobody_outside_either_in_a_test(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALARMED, "dht", "node"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline().startswith("IPv4 node on UDP port")
        job.send_signal(signal.SIGINT)
        _, said = job.communicate(timeout=20)
    assert "LEAVES" not in said


DEAF = """
import socket, sys, threading
real = socket.getaddrinfo

def hang(host, *more, **named):
    if host.replace(".", "").isdigit():
        return real(host, *more, **named)
    threading.Event().wait(60)

socket.getaddrinfo = hang
from bittern.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_name_server_that_is_silent_delays_neither_a_download_nor_its_end(tmp_path: Path) -> None:
    """Routers are looked up beside it, and nobody waits for that."""
    source = fill(tmp_path / "there" / "a.bin", 5 * PIECE)
    (tmp_path / "a.torrent").write_bytes(torrent(source).to_bytes())
    flags = ["--dht-router", "silent.invalid:6881", "--listen", "127.0.0.1", "--port", "0"]
    awake = {name: value for name, value in os.environ.items() if not name.startswith("BITTERN_")}
    with seeding(torrent(source), source.parent, tmp_path / "state") as seed:
        command = [sys.executable, "-c", DEAF, "get", "a.torrent", "-d", "here", "--peer", seed, *flags]
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=tmp_path, env=awake, stderr=subprocess.PIPE, text=True, timeout=50, check=True
        )
    assert time.monotonic() - began < 30
    assert "silent.invalid" not in done.stderr
    assert (tmp_path / "here" / "a.bin").read_bytes() == source.read_bytes()


def test_flags_about_privacy_become_settings() -> None:
    plain, hidden = of_flags(Network()), of_flags(Network(proxy="socks5://p", no_proxy_strict=True, anonymous=True))
    assert (plain.proxy, plain.proxy_strict, plain.anonymous) == (None, True, False)
    assert (hidden.proxy, hidden.proxy_strict, hidden.anonymous) == ("socks5://p", False, True)
    with pytest.raises(UsageError, match="--proxy: "):
        of_flags(Network(proxy="p:1080"))
