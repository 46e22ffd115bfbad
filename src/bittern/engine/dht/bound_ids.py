"""Ids of nodes that are bound to their addresses (BEP 42): who has few addresses has little choice of ids."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from bittern.wire.krpc import ID_BYTES

from .places import is_near

_MASK4: Final = bytes.fromhex("030f3fff")
_MASK6: Final = bytes.fromhex("0103070f1f3f7fff")
_CASTAGNOLI: Final = 0x82F63B78  # reflected


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE: Final = _table()


def crc32c(data: bytes | bytearray) -> int:
    """The CRC-32C (Castagnoli) of `data`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@lru_cache(8192)
def _prefix(host: str, choice: int) -> int:
    """The first 21 bits, as the upper bits of three bytes, of an id at `host` that makes a choice of 0 to 7."""
    packed = bytes(map(int, host.split("."))) if ":" not in host else ip_address(host).packed[:8]
    masked = bytearray(byte & mask for byte, mask in zip(packed, _MASK6 if len(packed) == 8 else _MASK4, strict=True))
    masked[0] |= choice << 5
    return crc32c(masked) >> 8 & 0xFFFFF8


def bind_id(host: str, random: bytes) -> bytes:
    """An id for the node at `host`, made from 20 random bytes."""
    prefix = _prefix(host, random[-1] & 7) | random[2] & 7
    return prefix.to_bytes(3) + random[3:ID_BYTES]


def is_bound(node_id: bytes, host: str) -> bool:
    """Whether the node at `host` may have this id; local networks are exempt."""
    return is_near(host) or _prefix(host, node_id[-1] & 7) == int.from_bytes(node_id[:3]) & 0xFFFFF8
