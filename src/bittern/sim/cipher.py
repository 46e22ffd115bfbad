"""A stream cipher that needs nothing but the standard library: fast, and good enough for a simulation.

It stands for RC4, which is not there: both sides of a simulated connection use this one.
"""

from hashlib import shake_128

from bittern.wire.stream import Buffer

_BLOCK = 1 << 16


class SimCipher:
    """One direction of a stream (see wire.mse.cipher).

    Args:
        key: 20 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = 0
        self._stream = memoryview(b"")

    def process(self, data: Buffer, into: bytearray | memoryview, /) -> None:
        """See Cipher."""
        data, at = memoryview(data), 0
        while at < len(data):
            if not self._stream:
                self._stream = memoryview(shake_128(self._key + self._number.to_bytes(8)).digest(_BLOCK))
                self._number += 1
            part, self._stream = self._stream[: len(data) - at], self._stream[len(data) - at :]
            size = len(part)
            mixed = int.from_bytes(data[at : at + size]) ^ int.from_bytes(part)
            into[at : at + size] = mixed.to_bytes(size)
            at += size
