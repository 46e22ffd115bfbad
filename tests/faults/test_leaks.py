"""What is handed to programs that are started: no open file."""

import socket
from pathlib import Path

from tests.faults.rigs.leeching import leech, seeding
from tests.faults.rigs.torrent import Torrent
from tests.interop.rigs.process import wait_until

O_CLOEXEC = 0o2000000


def test_no_open_file_is_handed_to_programs_that_are_started(torrent: Torrent, tmp_path: Path) -> None:
    """Each but the three standard ones is closed on exec."""
    with seeding(torrent, tmp_path / "seed") as (program, port), socket.create_connection(("127.0.0.1", port)):
        leech(torrent, port)
        assert wait_until(lambda: program.sockets() == 2, 5), "the listening one and ours"
        for path in Path(f"/proc/{program.running.pid}/fdinfo").iterdir():
            flags = next(line for line in path.read_text().splitlines() if line.startswith("flags:"))
            target = (path.parent.parent / "fd" / path.name).readlink()
            assert int(path.name) < 3 or int(flags.split()[1], 8) & O_CLOEXEC, f"{path.name} is {target}"
