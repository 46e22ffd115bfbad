"""Configuration files that are broken, each in another way."""

import re
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from random import Random

from drill.row import Outcome, Room, Row, demand
from tests.faults.rigs.program import QUIET, run
from tests.faults.rigs.torrent import PIECE, Torrent, make

OK, USAGE, NETWORK = 0, 2, 6
GOOD = """# what I like
down-limit = "5M"
no-dht = true
listen = ["127.0.0.1"]
max-peers = 40

[get]
sequential = true
port = 0
peer = ["127.0.0.1:1"]
encryption = "prefer"

[seed]
up-limit = "500k"
"""
_PIECES = (
    b"\xff",
    b"\x00",
    b"[",
    b"]",
    b'"',
    b"=",
    b"\n",
    b"[get]\n",
    b"true",
    b"[[get]]",
    b"0x1",
    b"'''",
    b"\xe2\x80\xae",
)


def broken(room: Room) -> Outcome:
    """Good ones with a few bytes changed, doubled or left out; what is still good does what it says."""
    count = 12 if room.short else 80
    torrent = make(room.below("content"), 2 * PIECE)
    drafts = [spoiled(GOOD.encode(), room.rng) for _ in range(count)]
    with ThreadPoolExecutor(2) as pool:
        cases = [(room, torrent, number, draft) for number, draft in enumerate(drafts)]
        refused = sum(pool.map(lambda case: _is_refused(*case), cases))
    demand(refused > count / 4, f"only {refused} of {count} were broken")
    return Outcome(passed=True, figures={"files": count, "refused": refused})


def spoiled(text: bytes, rng: Random) -> bytes:
    """The same with some of it wrong."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        end = min(len(text), at + rng.choice((0, 1, 1, 5, 30)))
        middle = rng.choice((b"", rng.choice(_PIECES), text[at:end] * 2, bytes((rng.randrange(256),))))
        text = text[:at] + middle + text[end:] or b"="
    return text


def _is_refused(room: Room, torrent: Torrent, number: int, draft: bytes) -> bool:
    """Start it with this configuration; nothing is to be changed by that."""
    home = room.below(f"home-{number}")
    config = home / "config" / "bittern" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_bytes(draft)
    before = _sight(config.parent)
    # The content is there: whoever understands the configuration has nothing to do.
    done = run(["get", str(torrent.path), "-d", str(torrent.folder), "--timeout", "1", *QUIET[:5]], home)
    demand(_sight(config.parent) == before, f"the configuration was changed: {draft!r}")
    demand("Traceback" not in done.stderr, f"{draft!r}: {done.stderr}")
    if done.returncode in (OK, NETWORK):  # understood: perhaps a peer is named that cannot be found
        return False
    lines = done.stderr.splitlines()
    demand(done.returncode == USAGE, f"exit status {done.returncode}: {draft!r}: {done.stderr}")
    demand(len(lines) == 1 and lines[0].startswith("bittern: "), f"{draft!r}: {done.stderr}")
    named = "config.toml" in lines[0] or re.search(r"--[a-z-]+", lines[0])
    demand(named, f"neither the file nor the flag is named: {draft!r}: {done.stderr}")
    demand(not (home / "state").exists(), f"something was begun: {draft!r}")
    return True


def _sight(folder: Path) -> list[tuple[str, int, str]]:
    return [(path.name, path.stat().st_mtime_ns, sha256(path.read_bytes()).hexdigest()) for path in folder.iterdir()]


ROWS = (
    Row(
        "config",
        "configuration files with some bytes wrong",
        "refused in one line that names the file, and its line or key; never written to",
        broken,
    ),
)
