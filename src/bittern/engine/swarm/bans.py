"""Hosts that nobody deals with, for all torrents of a core: by their IP address, whatever the port, until a time."""

from math import inf


class Bans:
    """Banned hosts."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self.revision = 0
        """Grows with each ban that is made or taken back."""

    def ban(self, host: str, until: float = inf) -> None:
        """Have nothing to do with `host` before `until`; infinity for good. The later one of two bans holds."""
        self._until[host] = max(until, self._until.get(host, until))
        self.revision += 1

    def unban(self, host: str) -> bool:
        """Deal with `host` again; False when it was not banned."""
        self.revision += 1
        return self._until.pop(host, None) is not None

    def banned(self, host: str, now: float) -> bool:
        """Whether `host` is banned."""
        until = self._until.get(host)
        if until is None:
            return False
        if until <= now:
            del self._until[host]
            return False
        return True

    def until(self, host: str) -> float:
        """When the ban of `host` ends; zero when there is none."""
        return self._until.get(host, 0.0)

    def all(self, now: float) -> dict[str, float]:
        """Each banned host and until when, in the order of their bans."""
        return {host: until for host, until in self._until.items() if until > now}
