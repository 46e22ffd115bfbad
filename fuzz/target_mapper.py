# Invariant: whatever routers answer by any protocol, late, twice or never, and however networks and wishes change,
# nothing escapes; what counts as let in was asked for and granted; routers are asked and looked for at a bounded pace;
# honest ones map every port in the end; and whoever was honest is given everything back, at whichever moment we leave.
"""Fuzz target: the ports of the default router, whole: PCP, NAT-PMP and UPnP together, in networks that change."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from ipaddress import ip_address
from random import Random
from typing import Final

from bittern.engine.nat.lease import Lease, Wish, wishes_for
from bittern.io.nat.gateways import FAR6, Gateway
from bittern.io.nat.mapper import CLOSE_SECONDS, LOOK_SECONDS, Mapper
from bittern.wire import pcp
from fuzz.driver import Target
from fuzz.lines import runner
from fuzz.networks import PORTS, ROUTER_SECONDS, Asking, Network
from fuzz.plays import act, acts, play_edit
from fuzz.routers import Grants, Says, description
from fuzz.target_igd import TARGET as IGD
from fuzz.target_natpmp import TARGET as NATPMP

_MOST_SECONDS: Final = 20_000.0
"""Of one input, before the end."""
_RECOVERY_SECONDS: Final = 6000.0
_SOON_SECONDS: Final = 60.0
_MOST_ASKED: Final = 40
"""Questions that each conversation may begin with."""
_PER_MINUTE: Final = 24
_MOST_DIALS: Final = 28
"""Connections for each network, or other ports; and as many in two minutes."""


class Does(IntEnum):
    """What happens in an act."""

    WAIT = 0
    STEP = 1  # some turns of the loop
    ANSWER = 2  # the next question by datagram is answered as the router likes
    LOSE = 3  # it is lost
    RAW = 4  # it is answered with these bytes
    LATE = 5  # as it likes, and late, and again
    NOBODY = 6  # nobody listens there
    HTTP = 7  # the next connection is answered: how, and what is said
    SEARCH = 8  # the next search is: by whom, and what is said
    DESCRIBE = 9  # the next description is this
    PLACE = 10  # we are in another network, or in none
    WANT = 11  # other ports are to be let in
    FORGET = 12  # the router forgets all that it mapped
    CLOSE = 13  # we leave, and begin anew
    DOWN = 14  # there is no network for a moment
    VERSION = 15  # the router knows PCP no more, or again


class _Scene:
    """Two networks, and the mapper that goes from one to the other."""

    def __init__(self, head: bytes) -> None:
        flags, wanted = head[0], head[1]
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.networks = [Network(number, flags) for number in (1, 2)]
        self.six = bool(flags & 32)
        self.place: int | None = 0
        self.public = False
        self.down = 0
        self.granted = Grants()
        self.lines: list[socket.socket] = []
        self.moves, self.looks, self.asked, self.spoken = 1, 0, 0, 0
        self.wishes = _wishes(wanted)
        self.wished = {(wish.carrier, wish.port) for wish in self.wishes}
        self.begin()

    @property
    def now(self) -> float:
        """Seconds since the input began."""
        return self.loop.time() - self.began

    @property
    def network(self) -> Network | None:
        """Where we are."""
        return None if self.place is None else self.networks[self.place]

    def begin(self) -> None:
        """A mapper begins."""
        self.mapper = Mapper(
            self.wishes, self._reaching, self._changed, gateway=self._look, gateway6=self._look6, rng=Random(1)
        )
        self.run = self.loop.create_task(self.mapper.run())

    def _look(self) -> Gateway | None:
        self.looks += 1
        return None if self.network is None else self.network.gateway

    def _look6(self) -> Gateway | None:
        return self.network.gateway6 if self.network is not None and self.six else None

    def _reaching(self, host: str, kind: int) -> socket.socket:
        if self.down:
            self.down -= 1
            raise OSError(errno.ENETUNREACH, "no network")
        if kind == socket.SOCK_STREAM:
            return self._network_of(host).by_http.reaching(host, kind)
        near, far = Asking.pair(kind)
        self.lines += [near, far]
        near.nobody = False
        near.connected = lambda place: self._aimed(near, far, host, place[1])
        if host != FAR6:
            there = self._network_of(host)
            near.sent = lambda *_: there.by_http.searched(near, far)
        return near

    def _network_of(self, host: str) -> Network:
        return next(each for each in self.networks if host in each.by_datagram)

    def _aimed(self, near: Asking, far: socket.socket, host: str, port: int) -> None:
        if port != pcp.PORT:  # to learn where we are
            assert self.network is not None
            near.here = self.network.ours6 if ":" in host else "8.8.8.8" if self.public else self.network.ours
            far.close()
            return
        network = self._network_of(host)
        near.asked = lambda data: self._question(network, host, data, near, far)

    def _question(self, network: Network, host: str, data: bytes, near: Asking, far: socket.socket) -> None:
        self.asked += 1
        assert len(data) <= pcp.MAX_DATAGRAM
        if network.mute:
            return
        kind, said = network.scripts.popleft() if network.scripts else (-1, b"")
        network.honest &= kind == -1
        answer = said if kind == Does.RAW else network.by_datagram[host].answer(data, self.now, said[2:])
        if kind == Does.NOBODY:
            near.nobody = True
        if kind == Does.LOSE or answer is None:
            return
        times, seconds = (1 + said[1:2].count(1), sum(said[:1]) / 8) if kind == Does.LATE else (1, ROUTER_SECONDS)
        for number in range(times):
            self.loop.call_later((number + 1) * seconds, self._say, far, answer)

    def _say(self, far: socket.socket, answer: bytes) -> None:
        with suppress(OSError):
            far.send(answer)
            self.granted.note(answer, self.now)

    def _changed(self) -> None:
        if hasattr(self, "run"):
            self.check()

    def check(self) -> None:
        """What counts as let in was asked for and granted, and nobody was asked too often."""
        for lease in self.mapper.leases:
            assert (lease.carrier, lease.port) in self.wished
            if lease.external_host is not None:
                ip_address(lease.external_host)
            assert self._rightly(lease), f"{lease}, but nobody granted that"
        minutes, moves = self.now / 60, self.moves
        assert self.asked <= 2 * (_MOST_ASKED * (moves + self.spoken) + _PER_MINUTE * minutes)
        assert self.looks <= 2 * (moves + self.spoken) + 30 + 60 * self.now / LOOK_SECONDS
        dials = sum(each.by_http.connections for each in self.networks)
        assert dials <= _MOST_DIALS * (moves + minutes / 2), (
            f"{dials} connections in {minutes:g} minutes, {moves} moves"
        )

    def _rightly(self, lease: Lease) -> bool:
        if lease.by != "UPnP":
            return self.granted.until(lease) >= self.now - 0.1
        hole = lease.external_host in [each.ours6 for each in self.networks]
        key = ("pinhole" if hole else lease.carrier.name, lease.external_port)
        return any(key in each.by_http.accepted for each in self.networks)

    async def passes(self, seconds: float) -> None:
        """Time passes."""
        await asyncio.sleep(max(0.0, min(seconds, _MOST_SECONDS - self.now)))

    async def leave(self) -> None:
        """Whoever was honest is given everything back."""
        self.run.cancel()
        await asyncio.wait([self.run])
        assert self.run.cancelled()
        began = self.loop.time()
        await self.mapper.close(CLOSE_SECONDS)
        assert self.loop.time() - began <= CLOSE_SECONDS + 0.1
        assert not self.mapper.leases
        for network in self.networks:
            if network.honest:
                assert not network.held, f"{network.held} are never taken back"
                # Of one that is being opened the number is not known yet.
                assert len(network.by_http.pinholes) <= 1, "pinholes are never closed"
        for near in self.lines[::2]:
            assert near.fileno() < 0, "a socket stays open"
        for far in self.lines[1::2]:
            far.close()
        self.lines.clear()

    async def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for what must come."""
        end = self.loop.time() + seconds
        while not done():
            assert self.loop.time() < end, what
            await asyncio.sleep(LOOK_SECONDS / 4)
        self.check()

    def all_in(self, network: Network) -> bool:
        """Whether all that is wished is let in, and known to be."""
        known = {(lease.carrier, lease.port) for lease in self.mapper.leases}
        return all(network.lets_in(wish) and (wish.carrier, wish.port) in known for wish in self.wishes)

    async def ends(self) -> None:
        """The routers are honest from now on."""
        self.down, self.public, self.place, self.six = 0, False, 0, False
        one, two = self.networks
        for each in self.networks:
            each.forget(self.now)
        can = not (one.mute and one.by_http.found_by_none)
        if can:
            if not self.wishes:
                self.want(_wishes(7))
            await self.until(lambda: self.all_in(one), _RECOVERY_SECONDS, "an honest router does not let in")
            self.want(_wishes(3))
            await self.until(lambda: self.all_in(one), _SOON_SECONDS, "other ports are not let in")
        await self.until(lambda: len(one.held) == len(self.wishes) * can, _SOON_SECONDS, "ports are not taken back")
        self.place = 1
        if can:
            await self.until(lambda: self.all_in(two), _SOON_SECONDS, "the next router does not let in")
        await self.until(lambda: not one.held, _SOON_SECONDS, "ports are left behind in the last network")
        await self.leave()
        others = asyncio.all_tasks() - {asyncio.current_task()} - self._serving()
        assert not others, f"{others} go on"

    def _serving(self) -> set[asyncio.Task[None]]:
        return {line for each in self.networks for line in each.by_http.lines}

    def want(self, wishes: list[Wish]) -> None:
        """Other ports are to be let in."""
        self.moves += 1
        self.wishes = wishes
        self.wished |= {(wish.carrier, wish.port) for wish in wishes}
        self.mapper.want(wishes)

    async def close(self) -> None:
        """Whatever happened, nothing goes on."""
        self.run.cancel()
        await asyncio.wait([self.run])
        await self.mapper.close(0.0)
        for each in self.networks:
            await each.by_http.close()
        for line in self.lines:
            line.close()


def _wishes(wanted: int) -> list[Wish]:
    tcp, udp = PORTS[0] if wanted & 1 else 0, PORTS[wanted >> 2 & 1] if wanted & 2 else 0
    return wishes_for(tcp, udp, 999 if wanted & 8 else 0)


def check(data: bytes) -> bool:
    """Two bytes that say what the routers are like and what is wished; a play follows."""
    return runner().run(_play(data[:2].ljust(2, b"\3"), data[2:]))


async def _play(head: bytes, play: bytes) -> bool:
    scene, good = _Scene(head), False
    try:
        for kind, said in acts(play):
            await _perform(scene, kind % 16, said)
            assert not scene.run.done(), scene.run
            scene.check()
            good |= bool(scene.mapper.leases)
        await scene.ends()
    finally:
        await scene.close()
    return good


async def _perform(scene: _Scene, kind: int, said: bytes) -> None:
    first = said[0] if said else 0
    network = scene.networks[scene.place or 0]
    match kind:
        case Does.WAIT:
            await scene.passes(sum(said[:12]) * first / 10)
        case Does.STEP:
            for _ in range(1 + first % 32):
                await asyncio.sleep(0)
        case Does.ANSWER | Does.LOSE | Does.RAW | Does.LATE | Does.NOBODY:
            network.scripts.append((kind, b"\0\0" + said if kind == Does.ANSWER else said))
        case Does.HTTP:
            network.honest = False
            network.by_http.scripts.append((Says.RAW + first % 6, said[1:]))
        case Does.SEARCH:
            network.honest = False
            network.by_http.found.append((Says.FOUND + first % 2, said[1:]))
        case Does.DESCRIBE:
            network.honest = False
            network.by_http.descriptions.append(said)
        case Does.PLACE:
            scene.moves += 1
            scene.place = (0, 1, None, scene.place)[first & 3]
            scene.six, scene.public = bool(first & 4), first & 24 == 24
        case Does.WANT:
            scene.want(_wishes(first))
        case Does.FORGET:
            scene.spoken += 1
            network.forget(scene.now)
        case Does.CLOSE:
            await scene.leave()
            scene.moves += 1
            scene.begin()
        case Does.DOWN:
            scene.moves += 1
            scene.down = first % 4
            for other in scene.networks:
                other.honest = False  # nothing can be given back
        case Does.VERSION:
            network.honest = False  # it does not understand any more what it is asked to take back
            for each in network.by_datagram.values():
                each.speaks_pcp = not each.speaks_pcp


_LATER, _SOON = act(Does.WAIT, b"\x5f\x5f"), act(Does.WAIT, b"\x05\x0a")
_MOVE, _BACK = act(Does.PLACE, b"\1"), act(Does.PLACE, b"\0")
_REFUSED = [act(Does.HTTP, bytes((1,)) + code.to_bytes(2)) for code in (718, 725, 501)]
_SKIP = act(Does.HTTP, b"\5\xff\0")
_PLAYS = (
    _SOON + _LATER + _MOVE + _SOON + _BACK + _SOON + act(Does.CLOSE),
    *(act(Does.STEP, bytes((turns,))) + act(Does.CLOSE) + _SOON + act(Does.CLOSE) for turns in (0, 1, 3, 8, 20)),
    _SOON + act(Does.STEP) + act(Does.WANT, b"\1") + act(Does.STEP) + act(Does.CLOSE) + act(Does.WANT, b"\7") + _SOON,
    act(Does.LATE, b"\x20\1") * 3 + act(Does.LATE, b"\xff\1\0\5") + _SOON + _MOVE + _SOON,
    act(Does.ANSWER, b"\2\1")
    + act(Does.ANSWER, b"\0\0\0\2")
    + act(Does.LOSE) * 9
    + _LATER
    + act(Does.VERSION)
    + _LATER,
    act(Does.NOBODY) + _SOON + act(Does.RAW, NATPMP.corpus[3]) + act(Does.RAW, NATPMP.corpus[1]) + _LATER,
    _SKIP * 2 + _REFUSED[0] + _REFUSED[1] + _SOON + _LATER + act(Does.FORGET) + _LATER,
    act(Does.HTTP, b"\3") + _SOON + _REFUSED[2] + _LATER + act(Does.SEARCH, b"\1x") + _LATER,
    act(Does.PLACE, b"\4") + _SOON + act(Does.FORGET) + _LATER + act(Does.PLACE, b"\5") + _SOON + act(Does.CLOSE),
    act(Does.PLACE, b"\x18") + _SOON + act(Does.PLACE, b"\2") + _SOON + act(Does.DOWN, b"\2") + _BACK + _SOON,
    act(Does.DESCRIBE, description()) + act(Does.HTTP, b"\0") + _SOON + act(Does.WANT, b"\0") + _SOON,
)
_HEADS = (b"\0\3", b"\x08\3", b"\x5a\7", b"\x10\3", b"\x2a\3", b"\x0c\3", b"\x29\x0b", b"\x20\3")
_CORPUS = tuple(
    head + each for number, each in enumerate(_PLAYS) for head in (_HEADS[number % 8], _HEADS[(number + 3) % 8])
)

TARGET = Target(
    "mapper",
    corpus=_CORPUS,
    words=(*NATPMP.words, *IGD.words, _LATER, _SOON, _MOVE, _BACK, _SKIP, act(Does.STEP), act(Does.CLOSE)),
    check=check,
    edits=(play_edit(_CORPUS, head=2),),
    slow_seconds=3.0,
)
