"""Who may ask for what, and how often. In private mode: which torrents, and with which passkey."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from bittern.base.errors import TrackerError

WINDOW_SECONDS: Final = 10
_COUNTED = 1 << 20
"""Addresses that are counted in one window; beyond, everybody begins anew."""
_TOO_MANY_MINUTES = 5
_NEVER = float("inf")


class Policy:
    """Decides before anything is looked up.

    Args:
        info_hashes: the torrents that are served, 20 bytes each; None for all.
        passkeys: of which each announce must name one in its URL; None for no such need.
        per_second: requests of one address, or IPv6 network of 64 bits, in the mean of 10 seconds; 0 for any number.
    """

    def __init__(
        self,
        info_hashes: Iterable[bytes] | None = None,
        passkeys: Iterable[str] | None = None,
        per_second: float = 0,
    ) -> None:
        self._most = int(per_second * WINDOW_SECONDS) if per_second else 0
        self._window = -1
        self._counts: dict[bytes, int] = {}
        self._info_hashes: frozenset[bytes] | None = None
        self._passkeys: frozenset[str] | None = None
        self.allow(info_hashes, passkeys)

    @property
    def private(self) -> bool:
        """Whether not everybody is served with everything."""
        return self._info_hashes is not None or self._passkeys is not None

    @property
    def needs_passkey(self) -> bool:
        """Whether each request must name a passkey."""
        return self._passkeys is not None

    def allow(self, info_hashes: Iterable[bytes] | None, passkeys: Iterable[str] | None) -> None:
        """From now on these torrents and passkeys are served; None for all."""
        self._info_hashes = None if info_hashes is None else frozenset(info_hashes)
        self._passkeys = None if passkeys is None else frozenset(passkeys)

    def within_rate(self, host: bytes, now: float) -> bool:
        """Count a request from a packed address; whether it is to be served."""
        if not self._most:
            return True
        window = int(now) // WINDOW_SECONDS
        if window != self._window or len(self._counts) >= _COUNTED:
            self._window = window
            self._counts.clear()
        who = host[:8]  # BEP 7 clients own a network of 64 bits, not an address
        count = self._counts.get(who, 0) + 1
        self._counts[who] = count
        return count <= self._most

    def check(self, info_hash: bytes, target: str) -> None:
        """Refuse what private mode does not serve.

        Args:
            info_hash: of the torrent.
            target: path and query of the URL that the client used, "" where it did not say.

        Raises:
            TrackerError: with infinite `retry_in`: asking again is no use (BEP 31).
        """
        if self._passkeys is not None and passkey_of(target) not in self._passkeys:
            raise TrackerError("unknown passkey", _NEVER)
        if self._info_hashes is not None and info_hash not in self._info_hashes:
            raise TrackerError("torrent not registered", _NEVER)


def too_many() -> TrackerError:
    """What those beyond the rate are told."""
    return TrackerError("too many requests", _TOO_MANY_MINUTES * 60.0)


def passkey_of(target: str) -> str:
    """The passkey in a path and query: `/KEY/announce`, or `/announce?passkey=KEY`; "" for none."""
    path, _, query = target.partition("?")
    folder = path.rpartition("/")[0].strip("/")
    if folder:
        return folder
    try:
        return dict(parse_qsl(query, encoding="latin-1", max_num_fields=50)).get("passkey", "")
    except ValueError:
        return ""


def parse_info_hashes(text: str) -> frozenset[bytes]:
    """Info hashes, one a line in hexadecimal; v2 hashes are cut to 20 bytes (BEP 52), `#` begins a comment.

    Raises:
        ValueError: naming the line that is none.
    """
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            raw = bytes.fromhex(word)
        except ValueError:
            raw = b""
        if len(raw) not in (20, 32):
            raise ValueError(f"line {number} is no info hash: write 40 or 64 hexadecimal digits")
        found.add(raw[:20])
    return frozenset(found)


def parse_passkeys(text: str) -> frozenset[str]:
    """Passkeys, one a line; `#` begins a comment.

    Raises:
        ValueError: naming the line that cannot stand in a URL.
    """
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        if not word.isascii() or not word.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"line {number} is no passkey: write letters, digits, - and _")
        found.add(word)
    return frozenset(found)
