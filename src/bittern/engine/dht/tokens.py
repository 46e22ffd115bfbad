"""Write tokens: who writes has shown before that it receives at the address it writes from (BEP 5)."""

from collections.abc import Callable
from hashlib import blake2s
from hmac import compare_digest
from typing import Final

ROTATE_SECONDS: Final = 300.0
"""How long a secret is used; its tokens hold for one more such time."""
TOKEN_BYTES: Final = 6
"""Long enough that guessing is hopeless below the rate limit, short enough for small replies."""


class Tokens:
    """Gives out tokens and knows them again; keeps nothing but two secrets."""

    def __init__(self, entropy: Callable[[int], bytes], now: float) -> None:
        self._entropy = entropy
        self._secret = self._before = entropy(16)
        self._rotate_due = now + ROTATE_SECONDS

    def token_for(self, host: str, now: float) -> bytes:
        """What `host` must show when it writes in the next five to ten minutes."""
        self._rotate(now)
        return _token(self._secret, host)

    def is_valid(self, token: bytes, host: str, now: float) -> bool:
        """Whether `host` got `token` from here lately."""
        self._rotate(now)
        return any(compare_digest(token, _token(secret, host)) for secret in (self._secret, self._before))

    def _rotate(self, now: float) -> None:
        if now < self._rotate_due:
            return
        old = self._secret if now < self._rotate_due + ROTATE_SECONDS else self._entropy(16)
        self._secret, self._before = self._entropy(16), old
        self._rotate_due = now + ROTATE_SECONDS


def _token(secret: bytes, host: str) -> bytes:
    return blake2s(host.encode(), digest_size=TOKEN_BYTES, key=secret).digest()
