"""Datagrams that misuse uTP (BEP 29): calls in another's name, lies about what came, packets of any bytes."""

import time
from contextlib import suppress

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import FLAT, Against, Fate, Misdeed, Scene
from tests.faults.rigs.torrent import BLOCK, MIB, PIECE
from tests.faults.rigs.utp import DATA, FIN, HEAD, RESET, STATE, SYN, Caller, packet

SEED_ONLY = (Against.SEED,)
OURS = 500
"""The connection's number, where a caller has one; bittern's is one more."""
DEAF = 30
GONE = 40
REQUEST = wire.message(wire.REQUEST, bytes(12))[:5]


def joins(scene: Scene, nth: int = 0) -> Caller:
    """Connect, shake hands and want everything."""
    caller = scene.call(nth)
    caller.call(OURS)
    name = b"-HO%04d-%012d" % (scene.number, nth)
    caller.say(wire.PROTOCOL + wire.PLAIN + scene.torrent.info_hash + name + wire.message(wire.INTERESTED))
    assert caller.read(68)[28:48] == scene.torrent.info_hash
    return caller


def asks_for_everything(caller: Caller, scene: Scene) -> None:
    """Requests for every block, a packet for each piece."""
    for piece in range(scene.torrent.pieces):
        asked = [(piece, begin, BLOCK) for begin in range(0, PIECE, BLOCK)]
        caller.say(b"".join(REQUEST + b"".join(number.to_bytes(4) for number in each) for each in asked))


def forged_calls(scene: Scene) -> None:
    """DRDoS (Adamsky and others, 2015): whoever's address stands on a call is not flooded in its name."""
    callers = [scene.call(nth) for nth in range(100)]
    for number in range(50):
        for caller in callers:
            caller.put(packet(SYN, 7 * number, number, 0))
        time.sleep(0.005)
    time.sleep(2.0)  # an answer that is repeated would be here by now
    for caller in callers:
        answers = caller.heard(0.001)
        assert {answer.kind for answer in answers} == {STATE}
        assert len(answers) <= 50
        assert 0 < caller.came <= caller.sent, "nobody gets more bytes than came"


def packets_of_no_connection(scene: Scene) -> None:
    stranger = scene.call()
    for number in range(300):
        stranger.put(packet(DATA, number, number, number) + bytes(100))
    answers = stranger.heard(1.0)
    assert {answer.kind for answer in answers} <= {RESET}
    assert len(answers) <= 150
    assert stranger.came < stranger.sent


def never_acknowledges(scene: Scene) -> None:
    """All of it asked for, nothing of it acknowledged: it gets what the first window holds."""
    deaf = [joins(scene, nth) for nth in range(DEAF)]
    for caller in deaf:
        asks_for_everything(caller, scene)
    before = [caller.came for caller in deaf]
    time.sleep(1.5)
    for caller, came in zip(deaf, before, strict=True):
        caller.heard(0.001)
        assert caller.came - came < 100_000, "the window does not open without acknowledgements"


def no_room(scene: Scene) -> None:
    """A window of nothing: a byte at a time asks after room, and with room it goes on."""
    caller = joins(scene)
    caller.window = 0
    asks_for_everything(caller, scene)
    caller.acknowledge()
    caller.heard(1.0)  # what was on its way
    before, end = caller.came, time.monotonic() + 1.0
    while time.monotonic() < end:
        for said in caller.heard(0.2):
            assert said.kind != DATA or len(said.payload) <= 1
        caller.acknowledge()
    assert caller.came - before < 5000
    caller.window = MIB
    caller.acknowledge()
    caller.read(5 + BLOCK)


def windows_back_and_forth(scene: Scene) -> None:
    """A byte of room, then much, then none."""
    caller = joins(scene)
    asks_for_everything(caller, scene)
    end = scene.ends_at()
    while scene.goes_on(end, 0.001):
        for caller.window in (1, 1 << 30, 0, 700):
            caller.acknowledge()


def acknowledges_the_future(scene: Scene) -> None:
    """What was never sent, or long ago, with senseless bits: every byte comes all the same, once and in order."""
    caller, rng, got = joins(scene), scene.rng, b""
    asks_for_everything(caller, scene)
    while len(got) < 20 * BLOCK:
        for lie in (caller.ack + rng.randrange(2000, 30000), caller.ack - rng.randrange(1, 30000)):
            caller.acknowledge(ack=lie & 0xFFFF, sack=rng.randbytes(4 * rng.randrange(1, 63)))
        caller.acknowledge(sack=bytes(4) + b"\xff" * 248 if rng.random() < 0.1 else b"")
        got += caller.read(BLOCK)
    first = got.find(b"\x07\0\0\0\0\0\0\0\0")
    assert first >= 0
    assert got[first + 9 : first + 9 + BLOCK] == scene.torrent.data[:BLOCK]


def resets_in_anothers_name(scene: Scene) -> None:
    """From another port, or with numbers that only both ends know."""
    caller, stranger, rng = joins(scene), scene.call(), scene.rng
    for kind in (RESET, FIN):
        for connection in (OURS - 1, OURS, OURS + 1, OURS + 2):
            for _ in range(50):
                stranger.put(packet(kind, connection, rng.getrandbits(16), rng.getrandbits(16)))
    for _ in range(200):
        caller.put(packet(RESET, OURS + 1, 9, caller.ack + 20_000 + rng.randrange(20_000)))
    asks_for_everything(caller, scene)
    caller.read(5 + BLOCK)


def packets_far_ahead(scene: Scene) -> None:
    """Data behind a gap that is never filled, as far as anybody keeps it, again and again."""
    caller = joins(scene)
    end = scene.ends_at()
    while scene.goes_on(end):
        for ahead in range(2, 3000, 3):
            caller.put(packet(DATA, OURS + 1, caller.seq + ahead, caller.ack) + bytes(1400))


def old_packets(scene: Scene) -> None:
    """The same data over and over, each time to be acknowledged."""
    caller = joins(scene)
    old = packet(DATA, OURS + 1, caller.seq, caller.ack) + bytes(1400)
    end = scene.ends_at()
    while scene.goes_on(end):
        for _ in range(500):
            caller.put(old)
        caller.heard(0.0001)


def packets_of_any_bytes(scene: Scene) -> None:
    caller, rng = joins(scene), scene.rng
    end = scene.ends_at()
    while scene.goes_on(end):
        for _ in range(500):
            kind, extension = rng.randrange(5) << 4 | 1, rng.randrange(3)
            head = HEAD.pack(kind, extension, OURS + 1, *(rng.getrandbits(32) for _ in "abc"), 3, 9)
            junk = rng.randbytes(rng.randrange(200))
            caller.put(rng.choice((head + junk, junk, head[: rng.randrange(20)])))
    caller.heard(0.1)


def comes_and_goes(scene: Scene) -> None:
    """Calls, joins, and is gone without a word, again and again; half of the places of a torrent are taken so."""
    end, nth = scene.ends_at(), 0
    while scene.goes_on(end) and nth < GONE:
        with suppress(AssertionError):  # the calls of a host are few at a time
            joins(scene, nth)
        nth += 1


UTP = [
    Misdeed("calls in another's name", (35,), forged_calls, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("packets of no connection", (35,), packets_of_no_connection, Fate.ENDURED, against=SEED_ONLY),
    Misdeed(
        f"all asked for and nothing acknowledged, by {DEAF}",
        (26, 35),
        never_acknowledges,
        Fate.ENDURED,
        against=SEED_ONLY,
        memory=32 * MIB + FLAT,
    ),
    Misdeed("a window of nothing", (26,), no_room, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("windows of a byte, of much, of none", (26,), windows_back_and_forth, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("acknowledgements of what was never sent", (35,), acknowledges_the_future, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("resets and ends in another's name", (35,), resets_in_anothers_name, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("data far ahead of what is missing", (26,), packets_far_ahead, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("the same data without end", (26,), old_packets, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("packets of any bytes", (25,), packets_of_any_bytes, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("callers that join and are gone without a word", (30,), comes_and_goes, Fate.ENDURED, against=SEED_ONLY),
]
