"""One connection to a web seed: what it is asked for, how its answers land, and what follows when it breaks."""

from collections import deque
from collections.abc import Sequence
from math import inf

from bittern.base.address import is_local
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.engine.effects import ConnectWeb
from bittern.engine.events import WebSeedFailed
from bittern.engine.swarm.lanes import Lanes
from bittern.wire.http_range import Answer, Body, Moved, Refused, Why, get_request
from bittern.wire.stream import Link, LinkLost
from bittern.wire.webseed import FileRange, Origin, WebUrl
from bittern.wire.webwire import WebWire

from .choice import next_run, passing_run, ranges_of, rest_of_begun
from .course import Course
from .cursor import Cursor
from .guard import may_be_local
from .runs import NO_RUN
from .scene import Scene
from .seed import STRETCH_FIRST, STRETCH_LEAST, WebSeed

PIPELINED = 4
"""Requests to a server that keeps its connections open, before their answers are here."""

_SLOW_SECONDS = 5.0
_GIVEN_WAY_SECONDS = 2.0  # who gave way waits: else it would be the first to begin the same again
_PROGRESS = 1 << 20  # a connection that brought so much before it broke off is worth another one soon


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
        self._course = Course(self._cursor, scene.stir)
        self._wire: WebWire | None = None
        self._origin: Origin | None = None
        self._asked = deque[WebUrl]()  # what is to be answered over this connection
        self._throttle = scene.limits.down
        self._room = inf  # bytes that the limit lets pass at a time
        self._at = self._until = 0  # of the body that comes, in the torrent
        self._last = -1 if first and scene.alone() else scene.rng.randrange(scene.download.have.size)
        self._planned_at = 0.0
        self._chosen_alone = False  # what is to come was chosen when there were no peers
        self._heard_at = 0.0
        self._rate = self._brought = 0  # bytes in the last second, and since then
        self._answers = 0  # bodies that came whole on this connection
        self._landed = 0  # bytes of the one that comes
        self._refused = False  # what comes is a page for people
        self._stalled = False  # the wire offers no room

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not (self._cursor.busy or self._course.busy or self.ticket or self._refused)

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
            self._course.fill_pads()
            if not self.ticket and now >= self.seed.due and (self._course.first is not None or self._plan(now)):
                self._dial(now)
            return
        self.due = inf
        if (self._stalled or self._course.stuck) and self._may_go_on(now):
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
        geometry = self._scene.download.geometry
        for piece in self._cursor.hand_back(keep):  # the last first
            begin = geometry.offset(piece)
            self._course.shorten(begin, begin + geometry.piece_length(piece))
            self._scene.offer()

    def give_way(self, now: float) -> None:
        """Others have nothing to do, and all that is missing is asked for: keep no more than comes at once."""
        self.hand_back(1)
        owed = len(self._cursor.owes()) * self._scene.download.geometry.piece_size
        if now - self._planned_at > _SLOW_SECONDS and self._rate * _SLOW_SECONDS < owed:
            self.stop()
            self.seed.due = max(self.seed.due, now + _GIVEN_WAY_SECONDS)

    def watch(self, patience: float, now: float) -> None:
        """Once a second: a server that is silent for so long is given up, one that is slow keeps less to itself."""
        wire, held = self._wire, self._stalled or self._course.stuck
        if wire is not None and wire.waiting and not held and now - self._heard_at >= patience:
            self.fail(f"{Offence.TIMED_OUT.value}: {patience:g} s", now)
            return
        self._rate, self._brought = self._brought, 0
        if not self._cursor.busy:
            return
        if not self._scene.alone():
            self._share(now)
        elif now - self._planned_at > 2 * patience / 3:
            self.seed.took(now - self._planned_at)
            self._planned_at = now
            self.hand_back(2)

    def _share(self, now: float) -> None:
        """There are peers: keep what comes within seconds, so that they may bring the rest, or have it from others."""
        if self._chosen_alone:  # where all begin who join a swarm at the same time: with it nobody can trade
            self._chosen_alone = False
            self._last = self._scene.rng.randrange(-1, self._scene.download.have.size)
            self.hand_back(1)
        elif now - self._planned_at > 1.0:
            most = max(int(self._rate * _SLOW_SECONDS), STRETCH_LEAST)
            self.seed.stretch = min(self.seed.stretch, most)
            # The next stretch is asked for before the end of the one that comes: both are kept.
            self.hand_back(1 + 2 * most // self._scene.download.geometry.piece_size)

    # --- the connection

    def connected(self, link: Link, now: float) -> WebWire:
        """It is made."""
        self.ticket = 0
        self._wire = WebWire(link, self._scene.shared.scratch, self)
        exempt = self._scene.shared.limits.exempt_local and is_local(link.address.host)
        self._throttle = Lanes().down if exempt else self._scene.limits.down
        self._room = self._throttle.available(now)
        self._answers = 0
        self._asked.clear()
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
        part, url = self._course.answered, self._asked.popleft()
        if isinstance(answer, Body):
            self._at = part.offset - part.first + answer.first
            self._until = self._at + answer.length
            if answer.length != part.length:
                self.seed.rangeless = True
                self._course.drop_file(part.file)  # comes with it
            return self._cursor.awaits(self._at, self._until) or self._go_beyond(now)
        self._refused = True
        wire = self._wire
        alone = wire is not None and wire.waiting == 1
        if url != self.seed.where(self._scene.layout, part.file)[0]:
            self._put_back()  # by now another connection knows better where the file is
        elif isinstance(answer, Moved):
            self._follow(part, answer, now)
        else:
            self._accept(part, answer, now)
        if not alone:
            self._hang_up()  # what else was asked for would come in the wrong order
        return False

    def place(self, most: int) -> Sequence[memoryview]:
        """Where the next bytes go."""
        places: Sequence[memoryview] = ()
        if not self._scene.download.congested and self._room > 0 and not self._course.stuck:
            places = self._cursor.place(self._at, int(min(most, max(BLOCK, self._room))))  # a unit may always pass
        self._stalled = not places
        return places

    def landed(self, count: int, now: float) -> None:
        """Bytes came."""
        self._heard_at = now
        self._landed += count
        self._brought += count
        self._throttle.take(count)
        self._room = self._throttle.available(now)
        self._stalled = self._room <= 0
        cursor = self._cursor
        self.seed.arrived += cursor.landed(self._at, count)
        self._at += count
        if cursor.whole or self._stalled:
            self._scene.stir()
        if self._at < self._until and not cursor.awaits(self._at, self._until):
            self._go_beyond(now)

    def ended(self, now: float) -> None:
        """An answer is here whole."""
        self._scene.stir()
        if self._refused:
            self._refused = False
            return
        self._answers += 1
        self._landed = 0
        self.seed.brought(self._course.came())

    def lost(self, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        """The connection is no more."""
        self._wire = None
        self._scene.stir()
        if isinstance(reason, RemoteProtocolError):
            self.fail(str(reason), now, offence=True)
        elif self._refused:
            self._refused = False
            self._put_back()
        elif self._course.flying and (self._landed or not self._answers):
            self.fail(f"broke off: {reason}", now)
        elif self._course.flying:
            # Servers end connections after some time, or some answers: that is their right.
            self.seed.pipelining = self.seed.pipelining and self._course.flying == 1
            self._put_back()

    # --- asking

    def _dial(self, now: float) -> None:
        part = self._course.named()
        if part is None:
            return
        url, led_from = self.seed.where(self._scene.layout, part.file)
        shared = self._scene.shared
        self.ticket = shared.next_ticket()
        self._origin = origin = url.origin
        local = may_be_local(url, led_from=led_from)
        filtered = self._scene.wire_hash not in shared.ip_filter.exempt
        shared.effects.append(
            ConnectWeb(self.ticket, self._scene.torrent, origin.host, origin.port, origin.secure, local, filtered)
        )

    def _ask(self, wire: WebWire, now: float) -> None:
        """Send requests, as many as there may be before their answers."""
        scene, seed = self._scene, self.seed
        depth = PIPELINED if self._answers and seed.pipelining and not seed.rangeless else 1
        while wire.waiting < depth and not self._refused:
            if self._course.first is None and not (self._nearly_done(wire) and self._plan(now)):
                break
            part = self._course.named()
            if part is None:
                continue
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
            self._course.ask()
            self._asked.append(url)
            wire.ask(get_request(url, part, scene.shared.settings.user_agent), part)

    def _nearly_done(self, wire: WebWire) -> bool:
        """Whether it is time for the next stretch."""
        if not wire.waiting:
            return not self._course.flying
        return wire.waiting == 1 and bool(self._landed) and self._until - self._at <= self.seed.stretch // 2

    def _plan(self, now: float) -> bool:
        """Choose what to bring next; False when there is nothing."""
        scene, seed, cursor = self._scene, self.seed, self._cursor
        download = scene.download
        if not cursor.busy and (scene.alone() or download.assembly.slabs.exhausted) and self._help():
            self._planned_at = now
            return True
        in_order = scene.shared.settings.sequential
        self._chosen_alone = scene.alone()
        if not self._chosen_alone and seed.stretch < STRETCH_FIRST:  # all want what nobody has: not all the same
            self._last = scene.rng.randrange(-1, download.have.size)
        run = next_run(download, seed, self._last, in_order=in_order)
        if run:
            cursor.begin(run, now)
            self._course.add(scene.layout.ranges_of(run))
            self._last = run[-1]
            if self._planned_at:
                seed.took(now - self._planned_at)
        elif cursor.busy or not self._help():
            return False
        self._planned_at = now
        return True

    def _help(self) -> bool:
        """Ask for the rest of a piece that others began; False when there is none."""
        download, layout = self._scene.download, self._scene.layout
        runs = rest_of_begun(download, self.seed, alone=self._scene.alone())
        self._cursor.help(runs)
        self._course.add(ranges_of(download, layout, runs))
        return bool(runs)

    def _go_beyond(self, now: float) -> bool:
        """What comes is not what is to come next: take what is needed of it, or end it. Whether it goes on."""
        scene = self._scene
        run = NO_RUN
        # Of servers without ranges nothing else can be had. In a swarm others may bring it, and lack other things.
        if not self._cursor.busy and (self.seed.rangeless or scene.alone()):
            run = passing_run(scene.download, self.seed, self._at, self._until)
        if not run:
            self._hang_up()
            self._put_back()
            return False
        self._cursor.begin(run, now)
        self._planned_at = now
        self._course.add(
            part._replace(first=part.first + skip, offset=part.offset + skip, length=part.length - skip)
            for part in scene.layout.ranges_of(run)
            if (skip := max(0, self._until - part.offset)) < part.length
        )
        return True

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
        if answer.why is not Why.BUSY and self.seed.expired(part.file):
            self._put_back()
            return
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
        if self._scene.download.congested or not self._course.fill_pads():
            return False
        return self._wire is None or not self._wire.waiting or bool(self._cursor.place(self._at, 1))

    def _put_back(self) -> None:
        """All that is to come is to be asked for again."""
        layout = self._scene.layout
        self._course.renew(part for span in self._cursor.lacking() for part in layout.ranges(*span))
        self._landed = 0

    def _forget(self) -> None:
        self._cursor.give_up()
        self._course.renew()
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
