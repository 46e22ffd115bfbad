"""One session of bittern's that is mistreated again and again while honest peers measure how long they wait."""

import json
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Self
from zlib import crc32

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import DROP_SECONDS, Against, Fate, Misdeed, Scene
from tests.faults.rigs.program import BITTERN
from tests.faults.rigs.torrent import BLOCK, MIB, NAME, Torrent, make, make_tree
from tests.faults.rigs.wire import HangUpError
from tests.interop.rigs.process import Running, wait_until

WAIT_SECONDS = 1.0
"""An honest peer waits no longer, whatever others do; and for what the control waits."""
NEWCOMER_SECONDS = 5.0
"""One that comes in the middle of it has its first block within so long."""
GIVEN, WANTED = MIB, 64 * MIB
_COME_AND_GO = ("bittern-files", "bittern keys")
"""Threads that wait for the next work of their kind; there are a few of them at most."""
_DRIVERS = Path(__file__).parents[1] / "drivers"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a misdeed came to.

    Attributes:
        wrongs: what should not have been; none when all is well.
        leech_seconds: the longest that an honest leecher waited for a block.
        seed_seconds: the longest that an honest seed waited for a request.
        control_seconds: the longest that one waited for a program that does nothing else, and what the victim waited
            for a processor meanwhile: nobody can be blamed for that.
        newcomer_seconds: after which one that came in the middle had its first block.
        away_seconds: the longest that the loop of the victim was away.
        memory: bytes that it cost.
        cpu_seconds: that it cost.
        took_seconds: how long it was.
    """

    wrongs: tuple[str, ...]
    leech_seconds: float
    seed_seconds: float
    control_seconds: float
    newcomer_seconds: float
    away_seconds: float
    memory: int
    cpu_seconds: float
    took_seconds: float


class Victim:
    """The session, in a process of its own."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.port = int(running.read_line(60))

    def ask(self, *words: str) -> Any:
        """One question to the driver."""
        self.running.say(" ".join(words))
        return json.loads(self.running.read_line(60))

    def held(self) -> Counter[str]:
        """Its tasks, open files and threads, by name; but for those that come and go with the work of the disk."""
        report = self.ask("report")
        names = [*report["tasks"], *report["files"], *report["threads"]]
        return Counter(name for name in names if not name.startswith(_COME_AND_GO))

    def has_begun(self, folder: Path) -> bool:
        """Whether all that a session starts is there, and there are bytes in a file below `folder`."""
        held = self.held()
        return held["bittern dht state"] > 0 and any(name.startswith(f"{folder}/") for name in held)

    def memory(self) -> int:
        """Bytes in memory now."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) << 10

    def peak_memory(self) -> int:
        """Bytes in memory, at most since `forget_peak`."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    def forget_peak(self) -> None:
        """The peak is what it has now."""
        Path(f"/proc/{self.running.pid}/clear_refs").write_text("5")

    def schedule(self) -> tuple[float, float]:
        """Seconds that its loop has had of a processor so far, and that it had to wait for one."""
        used, waited, _ = Path(f"/proc/{self.running.pid}/schedstat").read_text().split()
        return int(used) / 1e9, int(waited) / 1e9


class Arena:
    """The victim, its honest peers and the control.

    Args:
        folder: an empty one.
        stack: ends everything.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.torrents = {
            Against.SEED: make(folder / "given", GIVEN, 1),
            Against.LEECH: make(folder / "wanted", WANTED, 2),
            Against.LINK: make(folder / "named", GIVEN, 3),
            Against.TREE: make_tree(folder / "tree", GIVEN, 4),
        }
        given, wanted = self.torrents[Against.SEED], self.torrents[Against.LEECH]
        places = [folder / "state", given.path, given.folder, wanted.path, folder / "into"]
        self.victim = Victim(self._start("victim", *places))
        control = self._start("yardstick", given.folder / NAME)
        given_words = (given.info_hash.hex(), given.folder / NAME)
        words = (self.victim.port, control.read_line(60), *given_words, wanted.info_hash.hex(), wanted.folder / NAME)
        self._bystander = self._start("bystander", *words)
        self._newcomers = 0
        self.newcomer()
        assert wait_until(lambda: self.victim.has_begun(folder / "into"), 60), "nothing is ever stored"
        self.waits()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def driver(self, name: str, *words: object) -> Running:
        """One of our drivers, which ends with its `with` block."""
        command = [BITTERN[0], _DRIVERS / f"{name}.py", *map(str, words)]
        env = {"PYTHONPATH": f"{_DRIVERS.parents[2]}:{_DRIVERS.parents[2] / 'src'}"}
        return Running(command, self._folder / f"{name}.log", env=env, talks=True)  # type: ignore[arg-type]

    def _start(self, driver: str, *words: object) -> Running:
        return self._stack.enter_context(self.driver(driver, *words))

    def waits(self) -> tuple[float, float, float]:
        """The longest waits since the last time: of the leecher, the seed, and the control."""
        self._bystander.say("waits")
        leech, seed, control = json.loads(self._bystander.read_line(60))
        return leech, seed, control

    def complaints(self) -> list[str]:
        """Lines of the victim's log, which should have none."""
        return (self._folder / "victim.log").read_text().splitlines()

    def newcomer(self) -> float:
        """Come to the seed as an honest leecher; how long it took until the first block was there."""
        torrent, began = self.torrents[Against.SEED], monotonic()
        self._newcomers += 1
        peer = wire.dial(self.victim.port, torrent.info_hash)
        peer.hello(peer_id=b"-GO0000-%012d" % self._newcomers)
        peer.greeted()
        peer.say(wire.INTERESTED)
        peer.until(wire.UNCHOKE)
        peer.ask(0, 0, BLOCK)
        assert peer.until(wire.PIECE)[8:] == torrent.block(0, 0, BLOCK)
        peer.close()
        return monotonic() - began

    def play(self, misdeed: Misdeed, against: Against, number: int, seconds: float) -> Outcome:
        """Let it happen.

        Args:
            misdeed: what.
            against: whom it is done to.
            number: one that no other has; 0 to 240.
            seconds: how long what can go on for ever goes on.
        """
        victim, torrent = self.victim, self.torrents[against]
        held, (used, queued), began = victim.held(), victim.schedule(), monotonic()
        self.waits()
        victim.forget_peak()
        memory, wrongs, newcomer = victim.memory(), list[str](), inf
        with self._prepared(against, torrent):
            scene = Scene(victim.port, torrent, number, seconds, Random(crc32(misdeed.name.encode())))
            with scene.stack:
                try:
                    misdeed.deed(scene)
                    newcomer = self.newcomer()
                except (AssertionError, HangUpError, TimeoutError) as error:
                    wrongs.append(f"{traceback.format_tb(error.__traceback__)[-1].strip()}: {error!r}")
                wrongs += self._unlike(misdeed, scene)
                memory = victim.peak_memory() - memory
        if not wait_until(lambda: not victim.held() - held, DROP_SECONDS, 0.02):
            wrongs.append(f"left behind: {victim.held() - held}")
        leech, seed, control = self.waits()
        cpu, idle = (after - before for after, before in zip(victim.schedule(), (used, queued), strict=True))
        control += idle
        for who, wait in (("leecher", leech), ("seed", seed)):
            if wait > WAIT_SECONDS + control:
                wrongs.append(f"an honest {who} waited {wait:.2f} s, the control {control:.2f} s")
        if newcomer > NEWCOMER_SECONDS + control:
            wrongs.append(f"a newcomer waited {newcomer:.2f} s")
        if memory > misdeed.memory:
            wrongs.append(f"{memory / MIB:.1f} MiB")
        wrongs += self.complaints()
        away = victim.ask("report")["away"]
        took = monotonic() - began
        return Outcome(tuple(wrongs), leech, seed, control, newcomer, away, memory, cpu, took)

    @contextmanager
    def _prepared(self, against: Against, torrent: Torrent) -> Iterator[None]:
        sources = {
            Against.LINK: (f"magnet:?xt=urn:btih:{torrent.info_hash.hex()}", self._folder / "linked"),
            Against.TREE: (torrent.path, torrent.folder),
        }
        if against not in sources:
            yield
            return
        self.victim.ask("add", *map(str, sources[against]))
        try:
            assert wait_until(lambda: self.greets(torrent), DROP_SECONDS, 0.01)
            yield
        finally:
            self.victim.ask("remove")

    def greets(self, torrent: Torrent) -> bool:
        """Whether the victim talks to peers of a torrent."""
        with closing(wire.dial(self.victim.port, torrent.info_hash)) as peer:
            peer.hello(peer_id=b"-GO0000-greetsgreets")
            try:
                return bool(peer.greeted())
            except HangUpError:
                return False

    def _unlike(self, misdeed: Misdeed, scene: Scene) -> Iterator[str]:
        """How the fate of who did it differs from what it should be."""
        if misdeed.fate is Fate.ENDURED:
            offences = {host: self._offences(host) for host in scene.hosts if self._offences(host)}
            if offences:
                yield f"offences: {offences}"
            if any(peer.is_hung_up_on(0.02) for peer in scene.wires):
                yield "hung up on"
            return
        if not all(peer.is_hung_up_on(DROP_SECONDS) for peer in scene.wires):
            yield "not hung up on"
        for host in scene.hosts:
            told = self._offences(host)
            if misdeed.fate is not Fate.CLOSED and not any(misdeed.says in reason for reason in told):
                yield f"of {host} was told: {told}"
            if self.victim.ask("banned", host) != (misdeed.fate is Fate.BANNED):
                yield f"{host} is not banned" if misdeed.fate is Fate.BANNED else f"{host} is banned"

    def _offences(self, host: str) -> list[str]:
        return [reason for reason, offence in self.victim.ask("dropped", host) if offence]
