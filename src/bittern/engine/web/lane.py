"""One connection to a web seed: what it is asked for, how its answers land, and what follows when it breaks."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from bittern.base.address import is_local
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.codec.info import Info
from bittern.engine.download.assembly import EXTENT
from bittern.engine.download.download import Download
from bittern.engine.effects import ConnectWeb
from bittern.engine.events import WebSeedFailed
from bittern.engine.swarm.lanes import Lanes
from bittern.engine.world import Shared
from bittern.wire.blocks import Run
from bittern.wire.http_range import Answer, Body, Moved, Refused, get_request
from bittern.wire.stream import Link, LinkLost
from bittern.wire.webseed import FileRange, Origin, WebLayout
from bittern.wire.webwire import WebWire

from .cursor import Cursor
from .guard import may_be_local
from .runs import first_run, long_run, run_from, run_mask
from .seed import WebSeed

if TYPE_CHECKING:
    from random import Random

PIPELINED = 4
"""Requests to a server that keeps its connections open, before their answers are here."""

_EXTENT_BLOCKS = EXTENT // BLOCK
_RUNS_AT_ONCE = 8
_SLOW_SECONDS = 5.0
_PROGRESS = 1 << 20  # a connection that brought so much before it broke off is worth another one soon


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the connections of one torrent share.

    Attributes:
        torrent: its number.
        info: its metadata.
        layout: where its files are on a server.
        download: what they bring is for.
        shared: surroundings of the torrent.
        limits: of the torrent.
        rng: where runs begin.
        stir: something is to be settled at the end of the turn.
        offer: there is something that peers may be asked for.
        alone: whether there are no peers.
    """

    torrent: int
    info: Info
    layout: WebLayout
    download: Download
    shared: Shared
    limits: Lanes
    rng: "Random"
    stir: Callable[[], None]
    offer: Callable[[], None]
    alone: Callable[[], bool]


class Lane:
    """A connection, or one that is yet to be made.

    Args:
        seed: to which web seed.
        scene: surroundings.
        first: whether it is the first of this seed: then it begins at the beginning.
    """

    def __init__(self, seed: WebSeed, scene: Scene, *, first: bool) -> None:
        self.seed = seed
        self.ticket = 0
        """Of the connection that is being made; 0 for none."""
        self.due = inf
        """When a limit lets it go on."""
        self.counted = False
        """Whether it has a place among the connections of all torrents."""
        self._scene = scene
        self._cursor = Cursor(seed.number, scene.download, scene.shared.scratch.slab)
        self._parts: deque[FileRange] = deque()  # yet to be asked for
        self._flight: deque[FileRange] = deque()  # asked for, and the pads between
        self._wire: WebWire | None = None
        self._origin: Origin | None = None
        self._throttle = scene.limits.down
        self._room = inf  # bytes that the limit lets pass at a time
        self._at = self._until = 0  # of the body that comes, in the torrent
        self._padded = 0  # bytes of the first pad in flight that are written
        self._last = -1 if first else scene.rng.randrange(scene.download.have.size)
        self._planned_at = 0.0
        self._heard_at = 0.0
        self._answers = 0  # bodies that came whole on this connection
        self._landed = 0  # bytes of the one that comes
        self._refused = False  # what comes is a page for people
        self._stalled = False  # the wire offers no room

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not (self._cursor.busy or self._parts or self._flight or self.ticket or self._refused)

    @property
    def link(self) -> Link | None:
        """Its transport, while there is one."""
        return self._wire.link if self._wire is not None else None

    def owes(self) -> list[int]:
        """The pieces that it is to bring, the one that comes now first."""
        return self._cursor.owes()

    # --- what the torrent wants

    def drive(self, now: float) -> None:
        """End of a turn: connect, go on, ask for more."""
        wire = self._wire
        if wire is None:
            self._fill_pads()
            if not self.ticket and now >= self.seed.due and (self._parts or self._plan(now)):
                self._dial(now)
            return
        self.due = inf
        if self._stalled and self._may_go_on(now):
            self._stalled = False
            wire.wake(now)
        if self._wire is not None:
            self._ask(self._wire, now)

    def stop(self) -> None:
        """Bring nothing more; what is begun may be asked of others."""
        self.ticket = 0
        self._hang_up()
        self._forget()

    def hand_back(self, keep: int) -> None:
        """Leave to others what nothing came of yet, but the next `keep` pieces."""
        parts, geometry = self._parts, self._scene.download.geometry
        for piece in self._cursor.hand_back(keep):  # the last first
            begin = geometry.offset(piece)
            end = begin + geometry.piece_length(piece)
            while parts and begin <= parts[-1].offset < end:
                parts.pop()
            if parts and parts[-1].offset < begin < parts[-1].offset + parts[-1].length:
                parts[-1] = parts[-1]._replace(length=begin - parts[-1].offset)
            self._scene.offer()

    def give_way(self, now: float) -> None:
        """Peers have nothing to do, and all that is missing is asked for: keep no more than comes at once."""
        self.hand_back(1)
        if self._cursor.busy and now - self._planned_at > _SLOW_SECONDS:
            self.stop()

    def watch(self, patience: float, now: float) -> None:
        """Once a second: a server that is silent for so long is given up, one that is slow keeps less to itself."""
        if self._wire is not None and self._wire.waiting and not self._stalled and now - self._heard_at >= patience:
            self.fail(f"{Offence.TIMED_OUT.value}: {patience:g} s", now)
        elif self._cursor.busy and now - self._planned_at > 2 * patience / 3:
            self.seed.took(now - self._planned_at)
            self._planned_at = now
            self.hand_back(2)

    # --- the connection

    def connected(self, link: Link, now: float) -> WebWire:
        """It is made."""
        self.ticket = 0
        self._wire = WebWire(link, self._scene.shared.scratch, self)
        exempt = self._scene.shared.limits.exempt_local and is_local(link.address.host)
        self._throttle = Lanes().down if exempt else self._scene.limits.down
        self._room = self._throttle.available(now)
        self._answers = 0
        self._refused = self._stalled = False
        self._scene.stir()
        return self._wire

    def fail(self, reason: str, now: float, *, offence: bool = False) -> None:
        """It led to nothing, or broke: tell, and leave what was asked for to others."""
        self.stop()
        if self._landed >= _PROGRESS:
            self.seed.failures = 0
        self._landed = 0
        wait = self.seed.offended(reason, now) if offence else self.seed.failed(reason, now)
        self._tell(reason, wait)

    # --- see WebSink

    def answered(self, answer: Answer, now: float) -> bool:
        """The oldest request is answered."""
        self._heard_at = now
        self._landed = 0
        part = next(part for part in self._flight if not part.pad)
        if isinstance(answer, Body):
            self._at = part.offset - part.first + answer.first
            self._until = self._at + answer.length
            if answer.length != part.length:
                self.seed.rangeless = True
                self._parts = deque(other for other in self._parts if other.file != part.file)  # comes with it
            return True
        self._refused = True
        wire = self._wire
        alone = wire is not None and wire.waiting == 1
        if isinstance(answer, Moved):
            self._follow(part, answer, now)
        else:
            self._accept(part, answer, now)
        if not alone:
            self._hang_up()  # what else was asked for would come in the wrong order
        return False

    def place(self, most: int) -> Sequence[memoryview]:
        """Where the next bytes go."""
        places: Sequence[memoryview] = ()
        if not self._scene.download.congested and self._room > 0 and self._fill_pads():
            places = self._cursor.place(self._at, int(min(most, max(BLOCK, self._room))))  # a unit may always pass
        self._stalled = not places
        return places

    def landed(self, count: int, now: float) -> None:
        """Bytes came."""
        self._heard_at = now
        self._landed += count
        self._throttle.take(count)
        self._room = self._throttle.available(now)
        self._stalled = self._room <= 0
        self.seed.arrived += self._cursor.landed(self._at, count)
        self._at += count
        self._scene.stir()
        if not self._cursor.busy and self._at < self._until:
            self._go_beyond(now)

    def ended(self, now: float) -> None:
        """An answer is here whole."""
        self._scene.stir()
        if self._refused:
            self._refused = False
            return
        self._answers += 1
        self._landed = 0
        self.seed.brought(self._flight.popleft())
        self._fill_pads()

    def lost(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The connection is no more."""
        self._wire = None
        self._scene.stir()
        if isinstance(reason, RemoteProtocolError):
            self.fail(str(reason), now, offence=True)
        elif self._refused:
            self._refused = False
            self._put_back()
        elif self._flight and (self._landed or not self._answers):
            self.fail(f"broke off: {reason}", now)
        elif self._flight:
            # Servers end connections after some time, or some answers: that is their right.
            self.seed.pipelining = self.seed.pipelining and len(self._flight) == 1
            self._put_back()

    # --- asking

    def _dial(self, now: float) -> None:
        part = next((part for part in self._parts if not part.pad), None)
        if part is None:
            self._take_pads()
            return
        url, led_from = self.seed.where(self._scene.layout, part.file)
        shared = self._scene.shared
        self.ticket = shared.next_ticket()
        self._origin = origin = url.origin
        local = may_be_local(url, led_from=led_from)
        shared.effects.append(
            ConnectWeb(self.ticket, self._scene.torrent, origin.host, origin.port, origin.secure, local)
        )

    def _ask(self, wire: WebWire, now: float) -> None:
        """Send requests, as many as there may be before their answers."""
        scene, seed = self._scene, self.seed
        depth = PIPELINED if self._answers and seed.pipelining and not seed.rangeless else 1
        while wire.waiting < depth and not self._refused:
            if not self._parts and not (self._nearly_done(wire) and self._plan(now)):
                break
            self._take_pads()
            if not self._parts:
                continue
            part = self._parts[0]
            url, led_from = seed.where(scene.layout, part.file)
            if url.origin != self._origin:
                if not wire.waiting:
                    self._hang_up()
                    self._dial(now)
                return
            if is_local(wire.link.address.host) and not may_be_local(url, led_from=led_from):
                self.fail("a redirect into the local network", now, offence=True)
                return
            if not wire.waiting:
                self._heard_at = now
                self._landed = 0
            self._flight.append(self._parts.popleft())
            wire.ask(get_request(url, part, scene.shared.settings.user_agent), part)

    def _nearly_done(self, wire: WebWire) -> bool:
        """Whether it is time for the next stretch."""
        if not wire.waiting:
            return not self._flight
        return wire.waiting == 1 and bool(self._landed) and self._until - self._at <= self.seed.stretch // 2

    def _plan(self, now: float) -> bool:
        """Choose what to bring next; False when there is nothing."""
        scene, seed, cursor = self._scene, self.seed, self._cursor
        download = scene.download
        if not cursor.busy and (scene.alone() or download.assembly.slabs.exhausted) and self._help():
            self._planned_at = now
            return True
        run = self._choose(download)
        if run:
            cursor.begin(run, now)
            self._parts.extend(scene.layout.ranges_of(run))
            self._last = run[-1]
            if self._planned_at:
                seed.took(now - self._planned_at)
        elif cursor.busy or not self._help():
            return False
        self._planned_at = now
        return True

    def _choose(self, download: Download) -> range:
        """Pieces that nobody has begun: those that are needed first, then those behind the last, then a long run."""
        seed, size = self.seed, download.have.size
        most = max(1, seed.stretch // download.geometry.piece_size)
        free = download.picker.for_long_runs(~seed.lacks)
        for piece in download.urgent.in_order():
            if piece in download.picker and (run := run_from(free, size, piece, most)):
                return run
        if self._scene.shared.settings.sequential or seed.rangeless:
            return first_run(free, size, most)
        following = run_from(free, size, self._last + 1, most)
        longest = long_run(free, size, most, max(0, self._last))
        return following if 2 * len(following) >= len(longest) else longest

    def _help(self) -> bool:
        """Ask for the rest of a piece that others began; False when there is none."""
        download, alone = self._scene.download, self._scene.alone()
        assembly, geometry = download.assembly, download.geometry
        lacking = self.seed.lacks
        for piece, opened in list(assembly.askable.items()):
            if opened.owner is not None or (opened.left_to is not None and not alone):
                continue
            if run_from(lacking, download.have.size, piece, 1) or not (opened.free or assembly.make_room()):
                continue
            runs: list[Run] = []
            while len(runs) < _RUNS_AT_ONCE and (run := assembly.allot(piece, _EXTENT_BLOCKS)) is not None:
                runs.append(run)
            runs.sort(key=lambda run: run.first)
            self._cursor.help(runs)
            for run in runs:
                length = (run.count - 1) * BLOCK + len(run.bodies[-1])
                self._parts.extend(self._scene.layout.ranges(geometry.offset(piece, run.first * BLOCK), length))
            if runs:
                return True
        return False

    def _go_beyond(self, now: float) -> None:
        """All that was asked for is here, but the server sends on, to the end of the file: take what is needed."""
        download, layout = self._scene.download, self._scene.layout
        geometry, size = download.geometry, download.have.size
        first = -(-self._at // geometry.piece_size)
        stop = -(-self._until // geometry.piece_size)
        among = run_mask(first, stop, size) & ~self.seed.lacks
        free = download.picker.for_long_runs(among)
        run = first_run(free, size, max(1, self.seed.stretch // geometry.piece_size))
        if not run:
            self._flight.popleft()
            self._put_back()
            self._hang_up()
            return
        self._cursor.begin(run, now)
        self._planned_at = now
        self._parts.extend(
            part._replace(first=part.first + skip, offset=part.offset + skip, length=part.length - skip)
            for part in layout.ranges_of(run)
            if (skip := max(0, self._until - part.offset)) < part.length
        )

    # --- what else

    def _follow(self, part: FileRange, answer: Moved, now: float) -> None:
        wire = self._wire
        assert wire is not None
        self._put_back()
        wrong = self.seed.moved(self._scene.layout, part.file, answer.location, wire.link.address.host)
        if wrong is not None:
            self.fail(wrong, now, offence=True)

    def _accept(self, part: FileRange, answer: Refused, now: float) -> None:
        """It does not give the file: leave it to others."""
        self._forget()
        wait = self.seed.refused(answer, part.file, self._scene.info, self._scene.layout, now)
        if wait or len(self.seed.absent) == 1:  # of a thousand files one is enough to be told of
            url, _ = self.seed.where(self._scene.layout, part.file)
            self._tell(f"{url}: {answer}", wait)
        if wait:
            self._hang_up()

    def _may_go_on(self, now: float) -> bool:
        """Whether there is room for more."""
        self._room = self._throttle.available(now)
        if self._room <= 0:
            self.due = self._throttle.ready_at(now)
            return False
        if self._scene.download.congested or not self._fill_pads():
            return False
        return self._wire is None or not self._wire.waiting or bool(self._cursor.place(self._at, 1))

    def _take_pads(self) -> None:
        """Pads are asked of nobody."""
        while self._parts and self._parts[0].pad:
            self._flight.append(self._parts.popleft())
        self._fill_pads()

    def _fill_pads(self) -> bool:
        """Write the zeros of the pads that are next; False where there is no memory for them."""
        while self._flight and self._flight[0].pad:
            part = self._flight[0]
            while self._padded < part.length:
                at = part.offset + self._padded
                places = self._cursor.place(at, part.length - self._padded)
                if not places:
                    self._stalled = True
                    return False
                for place in places:
                    place[:] = bytes(len(place))
                count = sum(map(len, places))
                self._cursor.landed(at, count)
                self._padded += count
            self._flight.popleft()
            self._padded = 0
            self._scene.stir()
        return True

    def _put_back(self) -> None:
        """What is in flight is to be asked for again."""
        self._parts.extendleft(reversed(self._flight))
        self._flight.clear()
        self._landed = 0

    def _forget(self) -> None:
        self._cursor.give_up()
        self._parts.clear()
        self._flight.clear()
        self._padded = 0
        self._planned_at = 0.0
        self._scene.offer()

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        self._refused = self._stalled = False
        self.due = inf
        if wire is not None:
            wire.close()

    def _tell(self, reason: str, wait: float) -> None:
        self._scene.shared.events.append(WebSeedFailed(self._scene.torrent, self.seed.url, reason, wait))
