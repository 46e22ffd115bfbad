"""Addresses that stand for names: a proxy looks names up, and whoever uses numeric addresses need not know."""

from typing import Final

from bittern.base.address import ALIASES

MOST: Final = 10_000
"""Names that are remembered; the one that was not wanted for the longest time is forgotten."""


class Aliases:
    """Gives each name an address of 240.0.0.0/4, where nobody lives (RFC 1112)."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # by alias, the one that was used last at the end
        self._aliases: dict[str, str] = {}  # by name
        self._last = 0

    def alias(self, name: str) -> str:
        """The address that stands for `name`."""
        name = name.lower()
        alias = self._aliases.get(name)
        if alias is None:
            self._last += 1
            packed = self._last.to_bytes(3)
            alias = self._aliases[name] = f"{ALIASES}{packed[0]}.{packed[1]}.{packed[2]}"
            if len(self._aliases) > MOST:
                del self._aliases[self._names.pop(next(iter(self._names)))]
        self._names[alias] = self._names.pop(alias, name)
        return alias

    def name(self, host: str) -> str:
        """The name that an address stands for; the address itself where it stands for none."""
        return self._names.get(host, host)
