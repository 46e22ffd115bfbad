"""Identifiers as value types: what is an info hash cannot be passed as a peer id."""

from typing import Self

from bittern.base.errors import LocalProtocolError


class _FixedBytes(bytes):
    """Immutable bytes of one allowed length."""

    __slots__ = ()
    SIZES: tuple[int, ...] = ()

    def __new__(cls, value: bytes | bytearray | memoryview) -> Self:
        self = super().__new__(cls, value)
        if len(self) not in cls.SIZES:
            sizes = " or ".join(map(str, cls.SIZES))
            raise LocalProtocolError(f"{cls.__name__} takes {sizes} bytes, not {len(self)}")
        return self

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Parse lower or upper case hexadecimal; raises ValueError when it is not."""
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()})"


class InfoHashV1(_FixedBytes):
    """SHA-1 of the raw info dictionary: 20 bytes (BEP 3)."""

    __slots__ = ()
    SIZES = (20,)


class InfoHashV2(_FixedBytes):
    """SHA-256 of the raw info dictionary: 32 bytes (BEP 52)."""

    __slots__ = ()
    SIZES = (32,)

    def truncated(self) -> InfoHashV1:
        """The first 20 bytes, as handshakes and trackers carry it (BEP 52)."""
        return InfoHashV1(self[:20])


class PeerId(_FixedBytes):
    """20 bytes that name a running client (BEP 3, BEP 20)."""

    __slots__ = ()
    SIZES = (20,)
