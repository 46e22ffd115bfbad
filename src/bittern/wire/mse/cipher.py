"""The stream cipher that is handed in: RC4, which the standard library does not have."""

from collections.abc import Callable
from typing import Final, Protocol

from bittern.wire.stream import Buffer

DISCARDED: Final = 1024
"""Bytes at the start of each key's stream that are used for nothing, as they tell too much of the key."""


class Cipher(Protocol):
    """One direction of a stream; every byte of it goes through here once, in order."""

    def process(self, data: Buffer, into: bytearray | memoryview, /) -> object:
        """Encrypt or decrypt `data` to the start of `into`, which may be the same memory and is no shorter."""
        ...


MakeCipher = Callable[[bytes], Cipher]
"""A cipher of a key of 20 bytes."""


def ready(make: MakeCipher, key: bytes) -> Cipher:
    """The cipher of `key` as MSE uses it: without the first bytes of its stream."""
    cipher = make(key)
    cipher.process(bytes(DISCARDED), bytearray(DISCARDED))
    return cipher


def processed(cipher: Cipher, data: Buffer) -> bytes:
    """A few bytes in a copy."""
    out = bytearray(len(data))
    cipher.process(data, out)
    return bytes(out)
