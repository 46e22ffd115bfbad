"""Signatures of items in the distributed hash table (BEP 44): ed25519 by the `cryptography` package."""

from bittern.base.errors import SessionError

_MISSING = "signed items need the package `cryptography`: pip install cryptography"


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the owner of a public key of 32 bytes made a signature of 64 bytes for `message`.

    Without the package nothing is believed.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - few programs need it
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above
    except ImportError:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(seed: bytes) -> bytes:
    """The public key, 32 bytes, that belongs to a secret seed of 32 bytes.

    Raises:
        SessionError: the package is not there.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    except ImportError:
        raise SessionError(_MISSING) from None
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature, 64 bytes, that a secret seed of 32 bytes makes for `message`.

    Raises:
        SessionError: the package is not there.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    except ImportError:
        raise SessionError(_MISSING) from None
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
