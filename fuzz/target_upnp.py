# Invariant: whatever a router answers to searches and calls, in any pieces or never, only GatewayError escapes, soon,
# and in words for people; nobody but the router is asked, and not more than a few times; what counts as let in was
# asked for and not refused; an honest router is asked again, maps every port, and is asked to take it back.
"""Fuzz target: the conversation with a router by UPnP, whole: search, description, calls, mappings and pinholes."""

import asyncio
from enum import IntEnum
from random import Random
from typing import Final

from bittern.base.errors import GatewayError
from bittern.engine.nat.lease import Wish, wishes_for
from bittern.io.nat.gateways import Gateway
from bittern.io.nat.pinholes import Pinholes
from bittern.io.nat.upnp import Upnp
from fuzz.driver import Target
from fuzz.lines import runner
from fuzz.plays import act, acts, play_edit
from fuzz.routers import HttpRouter, Says, description, http_answer
from fuzz.target_igd import TARGET as IGD

_HOST, _HOST6 = "192.168.1.1", "2001:db8::1"
_OURS, _OURS6 = "192.168.1.20", "2001:db8::20"
_PORT: Final = 4321
_MOST_SECONDS: Final = 80.0
_MOST_CONNECTIONS: Final = 14


class Does(IntEnum):
    """What happens in an act."""

    HOLD = 0  # the ports are asked for
    HOLD6 = 1  # the firewall is asked to let in
    RAW = Says.RAW  # of the next connection, as what follows
    REFUSE = Says.REFUSE
    GIVE = Says.GIVE
    HANG = Says.HANG
    END = Says.END
    DRIP = Says.DRIP
    FOUND = Says.FOUND  # of the next search
    STRANGER = Says.STRANGER
    DESCRIBE = 10  # the next description is this
    FORGET = 11  # the router forgets all that it mapped
    CLOSE = 12  # everything is taken back


class _Scene:
    """One router, and what is asked of it."""

    def __init__(self) -> None:
        self.router = HttpRouter(_HOST, _OURS, _HOST6, _OURS6)
        self.wishes: list[Wish] = wishes_for(_PORT, _PORT)
        gateway, reaching = Gateway(_HOST, "lan"), self.router.reaching
        self.ports = Upnp(gateway, _OURS, self.wishes, reaching, lambda: None, Random(1))
        gateway6 = Gateway(_HOST6, "lan")
        self.pinholes = Pinholes(gateway, _OURS, gateway6, _OURS6, self.wishes, reaching, lambda: None)

    async def hold(self, part: Upnp | Pinholes) -> bool:
        """Have the ports let in; whether they are."""
        loop, before = asyncio.get_running_loop(), self.router.connections
        self.router.opened = False
        began = loop.time()
        try:
            seconds = await part.hold()
        except GatewayError as error:
            self._refused(part, str(error))
            return False
        finally:
            assert loop.time() - began < _MOST_SECONDS, f"took {loop.time() - began:g} s"
            assert self.router.connections - before <= _MOST_CONNECTIONS
        assert 1 <= seconds <= 7200
        assert part.leases
        for lease in part.leases:
            assert lease.port == _PORT
            if part is self.ports:
                refused = self.router.refused.get((lease.carrier.name, lease.external_port))
                assert refused is False, f"{lease} was refused, or never asked for"
        return True

    def _refused(self, part: Upnp | Pinholes, reason: str) -> None:
        assert part.leases == ()
        assert not self.router.opened, "a pinhole is open that nobody knows any more"
        assert part.refusal == reason
        assert reason.isprintable()
        assert len(reason) < 250

    async def ends(self) -> None:
        """The router is honest from now on."""
        router = self.router
        for prepared in (router.scripts, router.found, router.descriptions):
            prepared.clear()
        router.held.clear()
        router.pinholes.clear()
        for part in (self.ports, self.pinholes):
            held = await self.hold(part) or await self.hold(part)  # the first may lead to where it is no more
            assert held
            assert {lease.carrier for lease in part.leases} == {wish.carrier for wish in self.wishes}
        assert {(lease.carrier.name, lease.external_port) for lease in self.ports.leases} == set(router.held)
        assert len(router.pinholes) == len(self.pinholes.leases)
        await self.ports.close(5.0)
        await self.pinholes.close(5.0)
        assert not router.held, f"{router.held} are never taken back"
        assert not router.pinholes


def check(data: bytes) -> bool:
    """Play a play."""
    return runner().run(_play(data))


async def _play(data: bytes) -> bool:
    scene, good = _Scene(), False
    try:
        for kind, said in acts(data):
            good |= await _perform(scene, kind % 16, said)
        await scene.ends()
    finally:
        await scene.router.close()
    return good


async def _perform(scene: _Scene, kind: int, said: bytes) -> bool:
    router = scene.router
    match kind:
        case Does.HOLD:
            return await scene.hold(scene.ports)
        case Does.HOLD6:
            return await scene.hold(scene.pinholes)
        case Does.FOUND | Does.STRANGER:
            router.found.append((kind, said))
        case Does.DESCRIBE:
            router.descriptions.append(said)
        case Does.FORGET:
            router.held.clear()
            router.pinholes.clear()
        case Does.CLOSE:
            await scene.ports.close(5.0)
            await scene.pinholes.close(5.0)
        case how if how <= Does.DRIP:
            router.scripts.append((kind, said))
    return False


_HOLD, _HOLD6 = act(Does.HOLD), act(Does.HOLD6)
_SKIP = act(Does.DRIP, b"\xff\0")
_CODES = {code: act(Does.REFUSE, code.to_bytes(2)) for code in (402, 501, 704, 718, 724, 725, 729)}
_PLACE = b"HTTP/1.1 200 OK\r\nLocation: http://%b\r\n\r\n"
_CORPUS = (
    _HOLD * 2 + _HOLD6 * 2 + act(Does.CLOSE) + _HOLD,
    _SKIP * 2 + _CODES[725] + _HOLD + _CODES[718] * 3 + _HOLD6,
    _SKIP * 3 + _CODES[718] + _CODES[729] + _CODES[724] + _CODES[725] + _HOLD,
    _SKIP * 3 + _CODES[718] * 5 + _HOLD + _SKIP * 2 + _CODES[501] * 2 + _HOLD,
    _HOLD + act(Does.FORGET) + _HOLD + _HOLD6 + act(Does.FORGET) + _HOLD6,
    act(Does.HANG) + _HOLD + _SKIP * 3 + act(Does.HANG) + _HOLD + act(Does.END) + _HOLD6,
    act(Does.DRIP, b"\1\1") * 4 + _HOLD + act(Does.DRIP, b"\1\xff") + _HOLD6,
    _SKIP + act(Does.GIVE, act(0, b"0.0.0.0")) + act(Does.GIVE, act(0, b"65536")) + _HOLD + _HOLD6,
    _SKIP + act(Does.GIVE, act(0, b"99999")) + _HOLD6 + _SKIP + act(Does.GIVE, act(0, b"&#0;")) + _HOLD,
    act(Does.FOUND, _PLACE % b"192.168.1.1:99/a") + act(Does.STRANGER, _PLACE % b"192.168.1.66/b") + _HOLD,
    act(Does.FOUND, _PLACE % b"192.168.1.66/a") + act(Does.FOUND, b"NOTIFY") + _HOLD + _HOLD6,
    act(Does.DESCRIBE, IGD.corpus[1]) + _HOLD + act(Does.DESCRIBE, description()) + _HOLD6,
    act(Does.RAW, b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
    + _HOLD
    + act(Does.RAW, b"HTTP/1.0 200 OK\r\n\r\n<root/>"),
    _SKIP
    + act(Does.RAW, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Enve\r\n4\r\nlope\r\n0\r\n\r\n")
    + _HOLD,
    *(_SKIP * 2 + act(Does.RAW, http_answer(200, each)) + _HOLD for each in IGD.corpus[2:]),
)

TARGET = Target(
    "upnp",
    corpus=_CORPUS,
    words=(*IGD.words, b"Location: ", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"Content-Length: ", _HOLD, _HOLD6, _SKIP),
    check=check,
    edits=(play_edit(_CORPUS),),
    slow_seconds=3.0,
)
