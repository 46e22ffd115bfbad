"""Message stream encryption as its specification has it: what must come of bytes and secrets that are all known.

It reads everything at once, and shares nothing with what is tested but the cipher.
"""

from dataclasses import dataclass
from enum import Enum, unique
from hashlib import sha1
from typing import Final

from bittern.sim.cipher import SimCipher

PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
    16,
)
_KEY, _HASH, _MOST_PAD = 96, 20, 512
_HELLO: Final = b"\x13BitTorrent protocol"
PLAIN, RC4 = 1, 2


@unique
class End(Enum):
    """What the bytes so far lead to."""

    UNDECIDED = "undecided"
    REFUSED = "refused"
    AGREED = "agreed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one side's bytes.

    Attributes:
        end: how far they lead.
        inner: the stream within, as far as it has come; of who is not yet known to encrypt, all of it.
        method: that goes on behind the handshake; 0 where nothing was encrypted at all.
        offered: the methods that were named.
    """

    end: End
    inner: bytes = b""
    method: int = 0
    offered: int = 0


_WAITS, _REFUSED = Verdict(End.UNDECIDED), Verdict(End.REFUSED)


def deciphered(key: bytes, data: bytes) -> bytes:
    """Those bytes of a stream, from its start; enciphering is the same."""
    cipher, out = SimCipher(key), bytearray(1024 + len(data))
    cipher.process(bytes(1024) + data, out)
    return bytes(out[1024:])


def hashed(*parts: bytes) -> bytes:
    """SHA-1 of the parts."""
    return sha1(b"".join(parts), usedforsecurity=False).digest()


def veiled_name(name: bytes, shared: bytes) -> bytes:
    """How the initiator says which torrent it means."""
    return bytes(one ^ other for one, other in zip(hashed(b"req2", name), hashed(b"req3", shared), strict=True))


def shared_with(secret: bytes, data: bytes) -> bytes | None:
    """The secret that a private key and the public one at the start of `data` lead to; None where they lead to none."""
    key = int.from_bytes(data[:_KEY])
    return pow(key, int.from_bytes(secret), PRIME).to_bytes(_KEY) if 1 < key < PRIME - 1 else None


def initiated(data: bytes, shared: bytes | None, name: bytes, allowed: int, *, plain: bool) -> Verdict:
    """What a responder makes of what an initiator says.

    Args:
        data: from the first byte.
        shared: the secret that the keys lead to, or None.
        name: the one torrent that it has.
        allowed: the methods that it takes.
        plain: whether it lets in who does not encrypt.
    """
    if data[: len(_HELLO)] == _HELLO:
        return Verdict(End.AGREED, data) if plain else _REFUSED
    if _HELLO.startswith(data):
        return Verdict(End.UNDECIDED, data)
    if len(data) < _KEY:
        return _WAITS
    if shared is None:
        return _REFUSED
    at = data.find(hashed(b"req1", shared), _KEY, _KEY + _MOST_PAD + _HASH)
    if at < 0:
        return _REFUSED if len(data) >= _KEY + _MOST_PAD + _HASH else _WAITS
    at += _HASH
    if len(data) < at + _HASH:
        return _WAITS
    if data[at : at + _HASH] != veiled_name(name, shared):
        return _REFUSED
    return _offered(data[at + _HASH :], hashed(b"keyA", shared, name), allowed)


def _offered(hidden: bytes, key: bytes, allowed: int) -> Verdict:
    said = deciphered(key, hidden)
    if len(said) < 14:
        return _WAITS
    offered, pad = int.from_bytes(said[8:12]), int.from_bytes(said[12:14])
    method = next((each for each in (RC4, PLAIN) if each & offered & allowed), 0)
    if said[:8] != bytes(8) or pad > _MOST_PAD or not method:
        return _REFUSED
    at = 16 + pad
    if len(said) < at:
        return _WAITS
    if method == RC4:
        return Verdict(End.AGREED, said[at:], method, offered)
    end = at + int.from_bytes(said[at - 2 : at])
    return Verdict(End.AGREED, said[at:end] + hidden[end:], method, offered)


def answered(data: bytes, shared: bytes | None, name: bytes, offered: int) -> Verdict:
    """What an initiator, who offered those methods, makes of what a responder says."""
    if len(data) < _KEY:
        return _WAITS
    if shared is None:
        return _REFUSED
    key = hashed(b"keyB", shared, name)
    at = data.find(deciphered(key, bytes(8)), _KEY, _KEY + _MOST_PAD + 8)
    if at < 0:
        return _REFUSED if len(data) >= _KEY + _MOST_PAD + 8 else _WAITS
    said = deciphered(key, data[at:])
    if len(said) < 14:
        return _WAITS
    method, pad = int.from_bytes(said[8:12]), int.from_bytes(said[12:14])
    if method not in (PLAIN, RC4) or not method & offered or pad > _MOST_PAD:
        return _REFUSED
    if len(said) < 14 + pad:
        return _WAITS
    inner = said[14 + pad :] if method == RC4 else data[at + 14 + pad :]
    return Verdict(End.AGREED, inner, method, method)
