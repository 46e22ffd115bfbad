"""Who we are: an id that is bound to the address at which others see us (BEP 42), once enough of them agree."""

from collections.abc import Callable
from math import inf
from typing import Final

from .bound_ids import bind_id, is_bound
from .places import is_near, network_of

VOTES: Final = 32
"""Networks whose word counts, those that said something last."""
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
        self._entropy = entropy
        self._votes: dict[str, str] = {}  # what each network said last
        self._rest_until = -inf

    def told(self, voter: str, host: str, now: float) -> bool:
        """The node at `voter` says that we are at `host`; True when the id has changed by that."""
        if is_near(voter) or is_near(host) or (":" in voter) != (":" in host):
            return False  # who is near does not know, and nobody sees an address of the other family
        network = network_of(voter)
        self._votes.pop(network, None)  # one vote for each network, its last
        self._votes[network] = host
        if len(self._votes) > VOTES:
            del self._votes[next(iter(self._votes))]
        agree = sum(said == host for said in self._votes.values())
        if agree < NEEDED or agree * 3 < len(self._votes) * 2:
            return False
        if is_bound(self.id, host) or now < self._rest_until:
            return False
        self._rest_until = now + REST_SECONDS
        self.id = bind_id(host, self._entropy(20))
        return True
