"""Two sides of a handshake, and chance that is the same each time."""

from random import Random

from bittern.wire.mse.exchange import Agreement, Exchange, Initiator, Responder
from bittern.wire.mse.keys import name_mark, shared_secret
from bittern.wire.mse.policy import Encryption
from tests.wire.mse.plain_rc4 import PlainRc4

NAME = b"the name of a torren"
WORDS = b"first words"


def initiator(
    policy: Encryption = Encryption.PREFER, *, name: bytes = NAME, words: bytes = WORDS, seed: int = 0
) -> Initiator:
    return Initiator(Random(f"a {seed}").randbytes, PlainRc4, name, policy, words)


def responder(policy: Encryption = Encryption.PREFER, *names: bytes, seed: int = 0) -> Responder:
    known = {name_mark(name): name for name in names or (NAME,)}
    return Responder(Random(f"b {seed}").randbytes, PlainRc4, known.get, policy)


def answer(side: Exchange) -> None:
    """Work out the secret that a side waits for, if it does."""
    if side.wanted is not None:
        side.know(shared_secret(side.secret, side.wanted))


def move(source: Exchange, target: Exchange, cut: int) -> int:
    """Let at most `cut` bytes at a time go from one side to the other; how many went."""
    moved = 0
    while source.out and target.agreed is None:
        part = bytes(source.out[:cut])
        del source.out[: len(part)]
        target.receive(part)
        answer(target)
        moved += len(part)
    return moved


def shake(one: Exchange, other: Exchange, cut: int = 1 << 16) -> tuple[Agreement, Agreement]:
    """Let two sides talk until both agree."""
    while one.agreed is None or other.agreed is None:
        assert move(one, other, cut) + move(other, one, cut), "neither has anything to say"
    return one.agreed, other.agreed
