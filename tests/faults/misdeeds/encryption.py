"""Encrypted handshakes (MSE) that are none, or that cost more than they should."""

from bittern.wire.mse.keys import KEY_SIZE, PRIME
from tests.faults.rigs.misdeed import Against, Fate, Misdeed, Scene
from tests.faults.rigs.wire import HangUpError

SEED_ONLY = (Against.SEED,)
LONGEST = 628
"""Bytes in which the mark of a torrent is to come."""
MANY = 100


def degenerate_keys(scene: Scene) -> None:
    """Keys that leave no secret: answered by nothing."""
    for nth, key in enumerate((0, 1, PRIME - 1, PRIME, PRIME + 1, 2**768 - 1)):
        scene.connect(nth).raw(key.to_bytes(KEY_SIZE))


def garbage(scene: Scene) -> None:
    """All that it takes to have a secret worked out, and nothing that fits it."""
    for nth in range(MANY):
        scene.connect(nth).raw(scene.rng.randbytes(KEY_SIZE + LONGEST))


def endless_pad(scene: Scene) -> None:
    """A mark that never comes, as fast as anybody takes it."""
    scene.pour(scene.connect(), scene.rng.randbytes(10_000))


def half_a_key(scene: Scene) -> None:
    peer = scene.connect()
    peer.raw(scene.rng.randbytes(KEY_SIZE // 2))
    peer.end()


def keys_and_resets(scene: Scene) -> None:
    """Who is gone when the secret is worked out, again and again."""
    end = scene.ends_at()
    while scene.goes_on(end, 0.004):
        peer = scene.connect()
        peer.raw(scene.rng.randbytes(KEY_SIZE + 40))
        peer.reset()
    scene.wires.clear()


def key_byte_by_byte(scene: Scene) -> None:
    peer = scene.connect()
    peer.raw(scene.rng.randbytes(KEY_SIZE))
    try:
        while not peer.is_hung_up_on(0.4):
            peer.raw(scene.rng.randbytes(1))
    except HangUpError:
        return


def key_over_utp(scene: Scene) -> None:
    """Garbage over uTP costs as little as over TCP."""
    for nth in range(20):
        caller = scene.call(nth)
        caller.call()
        for _ in range(2):
            caller.say(scene.rng.randbytes((KEY_SIZE + LONGEST) // 2 + 1))


ENCRYPTION = [
    Misdeed("keys that leave no secret", (32,), degenerate_keys, Fate.CLOSED, against=SEED_ONLY),
    Misdeed(f"garbage, {MANY} times", (32,), garbage, Fate.CLOSED, against=SEED_ONLY),
    Misdeed("a pad without end", (32,), endless_pad, Fate.CLOSED, against=SEED_ONLY),
    Misdeed("half a key, and the end", (32,), half_a_key, Fate.CLOSED, against=SEED_ONLY),
    Misdeed("keys, and a reset, without end", (32,), keys_and_resets, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("garbage over uTP", (32,), key_over_utp, Fate.ENDURED, against=SEED_ONLY),
    Misdeed("a handshake byte by byte", (32,), key_byte_by_byte, Fate.CLOSED, against=SEED_ONLY, slow=True),
]
