"""What may be encrypted, and what must be: the user's choice, and what it lets a handshake offer and take."""

from enum import Enum, IntFlag, unique


class Method(IntFlag):
    """What comes behind the handshake, as its four bytes `crypto_provide` and `crypto_select` say it."""

    PLAIN = 1
    """The stream as it is: only the handshake was hidden."""
    RC4 = 2
    """Every byte is encrypted."""


@unique
class Encryption(Enum):
    """The choice for connections in one direction."""

    OFF = "off"
    """None is encrypted."""
    PREFER = "prefer"
    """Those are encrypted whose other side can do it."""
    REQUIRE = "require"
    """Those that are not encrypted to their last byte do not come about."""

    @property
    def plain(self) -> bool:
        """Whether connections without any encryption are allowed."""
        return self is not Encryption.REQUIRE

    @property
    def methods(self) -> Method:
        """What may come behind an encrypted handshake; nothing where there is to be none."""
        if self is Encryption.OFF:
            return Method(0)
        return Method.RC4 if self is Encryption.REQUIRE else Method.RC4 | Method.PLAIN

    def choose(self, offered: Method) -> Method:
        """The one of the methods offered to take: RC4 rather than none; 0 where none will do."""
        common = self.methods & offered
        return Method.RC4 if Method.RC4 in common else common & Method.PLAIN
