"""The Diffie-Hellman key exchange of MSE, and what is derived from the secret that it leaves both sides with.

The group is that of the specification: a prime of 768 bits, and 2. Numbers travel as 96 bytes, big-endian.
"""

from functools import lru_cache
from hashlib import sha1
from typing import Final

from bittern.base.errors import Offence, RemoteProtocolError

PRIME: Final = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    16,
)
KEY_SIZE: Final = 96
SECRET_SIZE: Final = 20
"""Bytes of a private key, as the specification recommends."""
MARK_SIZE: Final = 20
"""Bytes of a mark: what is looked for, or looked up."""

_WINDOW = 4  # bits of the exponent that a multiplication does


@lru_cache(maxsize=1)
def _powers() -> list[list[int]]:
    """Powers of 2 for each window of the exponent: they make a public key four times as cheap as `pow` does."""
    rows, base = list[list[int]](), 2
    for _ in range(0, 8 * SECRET_SIZE, _WINDOW):
        row = [1]
        for _ in range((1 << _WINDOW) - 1):
            row.append(row[-1] * base % PRIME)
        rows.append(row)
        base = row[-1] * base % PRIME
    return rows


def public_key(secret: bytes) -> bytes:
    """What to tell the other side of our secret, `SECRET_SIZE` bytes: 2 to its power."""
    exponent, key = int.from_bytes(secret), 1
    for row in _powers():
        key = key * row[exponent & (1 << _WINDOW) - 1] % PRIME
        exponent >>= _WINDOW
    return key.to_bytes(KEY_SIZE)


def check_key(theirs: bytes) -> None:
    """Refuse a public key that leaves no secret, whatever ours is.

    Raises:
        RemoteProtocolError: BAD_ENCRYPTION, it is 0, 1, the prime less 1, or more.
    """
    if not 1 < int.from_bytes(theirs) < PRIME - 1:
        raise RemoteProtocolError(Offence.BAD_ENCRYPTION, "its public key leaves no secret")


def shared_secret(secret: bytes, theirs: bytes) -> bytes:
    """What both sides know then: 96 bytes. It takes a third of a millisecond, most of what a handshake costs.

    Args:
        secret: ours.
        theirs: the other side's public key, 96 bytes that passed `check_key`.
    """
    return pow(int.from_bytes(theirs), int.from_bytes(secret), PRIME).to_bytes(KEY_SIZE)


def sync_mark(shared: bytes) -> bytes:
    """What the initiator sends to show where its padding ends."""
    return sha1(b"req1" + shared, usedforsecurity=False).digest()


def name_mark(name: bytes) -> bytes:
    """By what a responder looks up the torrent called `name`, 20 bytes of an info hash."""
    return sha1(b"req2" + name, usedforsecurity=False).digest()


def veiled(mark: bytes, shared: bytes) -> bytes:
    """A `name_mark` as it travels, and one that came as it is looked up."""
    veil = int.from_bytes(sha1(b"req3" + shared, usedforsecurity=False).digest())
    return (int.from_bytes(mark) ^ veil).to_bytes(MARK_SIZE)


def stream_keys(shared: bytes, name: bytes) -> tuple[bytes, bytes]:
    """The keys of the initiator's and of the responder's stream."""
    first, second = (sha1(which + shared + name, usedforsecurity=False).digest() for which in (b"keyA", b"keyB"))
    return first, second
