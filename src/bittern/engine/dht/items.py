"""Items that anybody may store in the table (BEP 44): immutable ones, and signed ones that may be replaced."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, TypeAlias

from bittern.wire.krpc import BAD_SIGNATURE, CAS_MISMATCH, MAX_SALT, MAX_VALUE, OLD_SEQUENCE, SERVER, PutItem, Reply

KEEP_SECONDS: Final = 2 * 3600.0
"""How long an item is kept after it was stored; who wants to keep it alive repeats it every hour."""
MAX_ITEMS: Final = 700
MAX_OF_ONE: Final = 175
"""Items that one address may keep here."""

Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether a public key of 32 bytes made the signature of 64 bytes for a message (ed25519)."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to store or to be found.

    Attributes:
        value: canonical bencode, at most 1000 bytes.
        key: 32 bytes of the public key, or None for an immutable item.
        salt: up to 64 bytes that set items of one key apart.
        seq: grows with each version.
        signature: 64 bytes by `key` over `signed_bytes`.
    """

    value: bytes
    key: bytes | None = None
    salt: bytes = b""
    seq: int = 0
    signature: bytes = b""

    @property
    def target(self) -> bytes:
        """Where it is stored: the hash of its value, or of key and salt."""
        return target_of(self.key, self.salt) if self.key is not None else _hash(self.value)

    def is_genuine(self, verify: Verify) -> bool:
        """Whether the owner of the key signed it; immutable items speak for themselves."""
        if self.key is None:
            return True
        return verify(self.key, self.signature, signed_bytes(self.value, self.seq, self.salt))


def target_of(key: bytes, salt: bytes = b"") -> bytes:
    """Where mutable items of `key` are stored."""
    return _hash(key + salt)


def signed_bytes(value: bytes, seq: int, salt: bytes = b"") -> bytes:
    """What is signed: bencoded `value`, its sequence number, and the salt if there is one."""
    salted = b"4:salt%d:%b" % (len(salt), salt) if salt else b""
    return b"%b3:seqi%de1:v%b" % (salted, seq, value)


def item_in(reply: Reply, target: bytes, salt: bytes, verify: Verify) -> Item | None:
    """The item that somebody sent as what is stored under `target`, or None if it is not that."""
    if reply.value is None:
        return None
    item = Item(reply.value)
    if item.target == target:
        return item
    if reply.key is None or reply.seq is None or reply.signature is None or target_of(reply.key, salt) != target:
        return None
    item = Item(reply.value, reply.key, salt, reply.seq, reply.signature)
    return item if item.is_genuine(verify) else None


def _hash(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class _Kept:
    item: Item
    owner: str
    until: float


class ItemStore:
    """Items that others stored here. When there are too many, those farthest from our own id go.

    Args:
        own_id: the node's id.
        verify: checks signatures.
    """

    def __init__(self, own_id: bytes, verify: Verify) -> None:
        self._own = int.from_bytes(own_id)
        self._verify = verify
        self._items: dict[bytes, _Kept] = {}

    def __len__(self) -> int:
        return len(self._items)

    def move(self, own_id: bytes) -> None:
        """The node has another id."""
        self._own = int.from_bytes(own_id)

    def get(self, target: bytes, now: float) -> Item | None:
        """What is stored under `target`."""
        kept = self._items.get(target)
        return kept.item if kept is not None and kept.until > now else None

    def put(self, ask: PutItem, owner: str, now: float) -> int:
        """Store an item for `owner`; 0, or the code of the error that it is refused with."""
        assert len(ask.value) <= MAX_VALUE
        assert len(ask.salt) <= MAX_SALT
        item = Item(ask.value, ask.key, ask.salt, ask.seq, ask.signature)
        target = item.target
        before = self.get(target, now)
        if before is not None and before.key is not None:
            if ask.cas is not None and ask.cas != before.seq:
                return CAS_MISMATCH
            if item.seq < before.seq or (item.seq == before.seq and item.value != before.value):
                return OLD_SEQUENCE
        if (before is None or before != item) and not item.is_genuine(self._verify):
            return BAD_SIGNATURE
        if target not in self._items and not self._make_room(target, owner):
            return SERVER
        self._items[target] = _Kept(item, owner, now + KEEP_SECONDS)
        return 0

    def expire(self, now: float) -> None:
        """Forget what nobody stored again for two hours."""
        self._items = {target: kept for target, kept in self._items.items() if kept.until > now}

    def _make_room(self, target: bytes, owner: str) -> bool:
        if sum(kept.owner == owner for kept in self._items.values()) >= MAX_OF_ONE:
            return False
        if len(self._items) < MAX_ITEMS:
            return True
        farthest = max(self._items, key=self._distance)
        if self._distance(farthest) <= self._distance(target):
            return False
        del self._items[farthest]
        return True

    def _distance(self, target: bytes) -> int:
        return int.from_bytes(target) ^ self._own
