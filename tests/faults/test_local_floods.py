"""A download in a local network in which somebody announces peers without end (BEP 14), in the name of many hosts."""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.faults.rigs.program import QUIET, Program
from tests.faults.rigs.torrent import MIB, NAME, Torrent
from tests.interop.conftest import require
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.star import NET, Link, run_in, star

SHOUTER = Path(__file__).parent / "drivers" / "shouter.py"
ALIASES = 40
SECONDS = 2
DIALS_PER_SECOND = 50
DIALS_BURST = 100
DONE_SECONDS = 60
FLAT = 10 * MIB


def refused(place: Place) -> int:
    """Connections that hosts of a place have refused."""
    heads, figures = (line.split() for line in run_in(place, "cat /proc/net/snmp").splitlines() if line[:4] == "Tcp:")
    return int(figures[heads.index("OutRsts")])


def test_a_flood_of_local_announces_is_dialed_at_a_pace_and_a_download_goes_on(
    torrent: Torrent, into: Path, tmp_path: Path
) -> None:
    require(missing_for_namespace())
    quiet = [flag for flag in QUIET if flag != "--no-lsd"]
    with ExitStack() as stack:
        network = stack.enter_context(star(tmp_path, [Link()] * 3))
        here, there, shouting = network.hosts
        hosts = [f"{NET}.{100 + number}" for number in range(ALIASES)]
        (tmp_path / "addresses").write_text("".join(f"addr add {host}/24 dev eth0\n" for host in hosts))
        run_in(shouting, f"ip -batch {tmp_path / 'addresses'}")
        run_in(shouting, "ip route add 239.0.0.0/8 dev eth0")

        words = ["seed", str(torrent.path), str(torrent.folder), "--port", "7001"]
        seed = stack.enter_context(Program(words, tmp_path / "a", before=there.enter, listen=there.address))
        seed.seeds()
        words = ["get", str(torrent.path), "-d", str(into), "--port", "7002", "--down-limit", "600K"]
        words += ["--peer", f"{there.address}:7001"]
        job = stack.enter_context(Program(words, tmp_path / "b", before=here.enter, listen=here.address, quiet=quiet))
        job.saw("progress")
        memory, before, began = job.memory(), refused(shouting), time.monotonic()
        shout = [*shouting.enter, sys.executable, str(SHOUTER), torrent.info_hash.hex(), str(SECONDS), *hosts]
        said = subprocess.run(shout, check=True, capture_output=True, text=True, timeout=60).stdout
        assert int(said) > 10 * ALIASES
        dialed, took = refused(shouting) - before, time.monotonic() - began
        assert 0 < dialed < DIALS_BURST + DIALS_PER_SECOND * took
        assert job.memory() - memory < FLAT + len(torrent.data)
        assert job.ends(DONE_SECONDS) == 0
    assert (into / NAME).read_bytes() == torrent.data
    assert not [line for line in job.messages if "Traceback" in line]
