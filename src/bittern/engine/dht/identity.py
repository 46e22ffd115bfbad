"""Who we are: an id that is bound to the address at which others see us (BEP 42), once enough of them agree."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

from .bound_ids import bind_id, is_bound
from .places import is_near, network_of

VOTES: Final = 32
"""Networks whose word counts, the latest."""
NEEDED: Final = 8
"""So many must say the same, and be two thirds of those that said anything."""
REST_SECONDS: Final = 3600.0
"""The id changes at most once in so long: it costs a table."""


class Identity:
    """Our id, and what others say about our address.

    Args:
        own_id: 20 bytes.
        entropy: for a new id.
    """

    def __init__(self, own_id: bytes, entropy: Callable[[int], bytes]) -> None:
        self.id = own_id
        self.host: str | None = None
        """Where others see us, once they agree."""
        self._entropy = entropy
        self._votes: deque[tuple[str, str]] = deque(maxlen=VOTES)
        self._voters: set[str] = set()  # the networks of those votes
        self._rest_until = -inf

    def told(self, voter: str, host: str, now: float) -> bool:
        """The node at `voter` says that we are at `host`; True when the id has changed by that."""
        if is_near(voter) or is_near(host):
            return False
        network = network_of(voter)
        if network in self._voters:
            return False  # one vote for each network
        if len(self._votes) == VOTES:
            self._voters.discard(self._votes[0][0])
        self._votes.append((network, host))
        self._voters.add(network)
        agree = sum(said == host for _, said in self._votes)
        if agree < NEEDED or agree * 3 < len(self._votes) * 2:
            return False
        self.host = host
        if is_bound(self.id, host) or now < self._rest_until:
            return False
        self._rest_until = now + REST_SECONDS
        self.id = bind_id(host, self._entropy(20))
        return True
