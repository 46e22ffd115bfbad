"""RC4 for message stream encryption, of the `cryptography` package: OpenSSL's, in place, in one call."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
except ImportError:  # before version 43
    from cryptography.hazmat.primitives.ciphers.algorithms import ARC4


class Rc4:
    """One direction of a stream (see wire.mse.cipher).

    Args:
        key: 20 bytes.

    Attributes:
        process: encrypts, or decrypts, some bytes into a buffer.
    """

    __slots__ = ("process",)

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(ARC4(key), None)  # noqa: S304 - what MSE prescribes: it hides what is spoken and claims no more
        self.process = cipher.encryptor().update_into


def available() -> bool:
    """Whether the system's OpenSSL has it; where only approved ciphers are allowed it has not."""
    try:
        Rc4(bytes(20))
    except UnsupportedAlgorithm:
        return False
    return True
