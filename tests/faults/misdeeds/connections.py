"""Connections without end, and without sense."""

import socket
import struct
import time

from bittern.engine.swarm.turnover import SPEAK_SECONDS
from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import DROP_SECONDS, Against, Fate, Misdeed, Scene
from tests.faults.rigs.utp import FIN, RESET
from tests.faults.rigs.wire import HangUpError

SILENT = 500
CALLERS = 300
MOST_SILENT = 200
MOST_PEERS = 80


def silent_crowd(scene: Scene) -> None:
    """From one address; a quarter of those who may keep silent are of one network."""
    for _ in range(SILENT):
        _knock(scene, 0)


def silent_crowd_of_many(scene: Scene) -> None:
    """From as many addresses."""
    for nth in range(SILENT):
        _knock(scene, nth)


def resets(scene: Scene) -> None:
    """Connections that are reset at once."""
    end = scene.ends_at()
    while scene.goes_on(end):
        sock = _knock(scene, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def joins_and_leaves(scene: Scene) -> None:
    """Joins, and is gone, again and again."""
    end = scene.ends_at()
    while scene.goes_on(end):
        scene.join().close()
    scene.wires.clear()


def joined_and_silent(scene: Scene) -> None:
    for nth in range(30):
        scene.join(nth=nth)


def silence_in_every_place(scene: Scene) -> None:
    """As many as a torrent may have say nothing: the first of them goes for one who asks, and none for nobody.

    All but one, which an honest peer has.
    """
    crowd = [scene.join(nth=nth) for nth in range(MOST_PEERS - 1)]
    time.sleep(SPEAK_SECONDS)
    good = scene.unchoked(nth=MOST_PEERS)
    assert crowd[0].is_hung_up_on(DROP_SECONDS)
    for peer in (good, *crowd[:4]):  # so that there is room for who comes next
        peer.close()
        scene.wires.remove(peer)


def same_peer_id(scene: Scene) -> None:
    """The second with a name is one too many."""
    scene.join(nth=0, name=7)
    peer = scene.connect(1)
    peer.hello(peer_id=b"-HO%04d-%012d" % (scene.number, 7))
    assert peer.is_hung_up_on(DROP_SECONDS)
    scene.wires.remove(peer)


def handshake_byte_by_byte(scene: Scene) -> None:
    """The handshake, slowly: it has ten seconds in all."""
    peer = scene.connect()
    hello = wire.PROTOCOL + wire.PLAIN + scene.torrent.info_hash + b"-HO0000-slowslowslow"
    try:
        for at in range(len(hello)):
            peer.raw(hello[at : at + 1])
            if peer.is_hung_up_on(0.4):
                return
    except HangUpError:
        return


def silence_before_the_handshake(scene: Scene) -> None:
    for nth in range(20):
        scene.connect(nth)


def silent_callers(scene: Scene) -> None:
    """They connect and say next to nothing: as over TCP, who is one too many goes."""
    callers = [scene.call(nth) for nth in range(CALLERS)]
    for number, caller in enumerate(callers):
        caller.call()
        caller.say(wire.PROTOCOL[:1])
        time.sleep(0.005)  # so many are let in in a second
        if number % 50 == 0:
            caller.heard(0.001)
    gone = sum(any(said.kind in (FIN, RESET) for said in caller.heard(0.001)) for caller in callers)
    assert gone >= CALLERS - MOST_SILENT


def _knock(scene: Scene, nth: int) -> socket.socket:
    sock = scene.stack.enter_context(socket.socket())
    sock.setblocking(False)
    sock.bind((scene.host(nth), 0))
    sock.connect_ex(("127.0.0.1", scene.port))
    return sock


CONNECTIONS = [
    Misdeed(
        f"{CALLERS} callers over uTP that say next to nothing",
        (30,),
        silent_callers,
        Fate.ENDURED,
        against=(Against.SEED,),
    ),
    Misdeed(f"{SILENT} connections of one address that say nothing", (30,), silent_crowd, Fate.ENDURED),
    Misdeed(f"{SILENT} connections of {SILENT} addresses that say nothing", (30,), silent_crowd_of_many, Fate.ENDURED),
    Misdeed("connections that are reset at once, without end", (30,), resets, Fate.ENDURED),
    Misdeed("peers that come and go without end", (30,), joins_and_leaves, Fate.ENDURED),
    Misdeed("peers that join and say nothing", (29,), joined_and_silent, Fate.ENDURED),
    Misdeed(
        f"{MOST_PEERS} peers, as many as may be, that join and say nothing",
        (29, 30),
        silence_in_every_place,
        Fate.ENDURED,
        against=(Against.SEED,),
    ),
    Misdeed("a peer id that is here already", (34,), same_peer_id, Fate.ENDURED),
    Misdeed("a handshake byte by byte", (29,), handshake_byte_by_byte, Fate.CLOSED, slow=True),
    Misdeed("connections that say nothing, to their end", (29,), silence_before_the_handshake, Fate.CLOSED, slow=True),
]
