"""RC4 for message stream encryption, of the `cryptography` package: OpenSSL's, in place, in one call."""

from collections.abc import Callable

from bittern.wire.stream import Buffer


class Rc4:
    """One direction of a stream (see wire.mse.cipher).

    Args:
        key: 20 bytes.

    Attributes:
        process: encrypts, or decrypts, some bytes into a buffer.
    """

    __slots__ = ("process",)

    def __init__(self, key: bytes) -> None:
        self.process = _new_cipher(key)


def available() -> bool:
    """Whether the system's OpenSSL has it; where only approved ciphers are allowed it has not."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - 7 MiB: only for who encrypts

    try:
        Rc4(bytes(20))
    except UnsupportedAlgorithm:
        return False
    return True


def _new_cipher(key: bytes) -> Callable[[Buffer, bytearray | memoryview], object]:
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - as above

    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4  # noqa: PLC0415 - as above
    except ImportError:  # before version 43
        from cryptography.hazmat.primitives.ciphers.algorithms import ARC4  # noqa: PLC0415 - as above
    cipher = Cipher(ARC4(key), None)  # noqa: S304 - what MSE prescribes: it hides what is spoken and claims no more
    return cipher.encryptor().update_into
