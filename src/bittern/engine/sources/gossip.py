"""What to tell whom of which peers, and how much of what others tell is listened to (BEP 11): decisions only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import inf

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.ut_pex import MOST, PexFlag, PexMessage

FIRST_SECONDS = 3.0
"""A newcomer is told of the others after so long: whoever else comes meanwhile is in the same message."""
TURNS = 8
"""Newcomers are told in so many turns: two that hear of each other at once dial each other at once, and some clients
then refuse both connections."""
TURN_SECONDS = 0.75
"""From one turn to the next: time to connect, and to say so."""
INTERVAL_SECONDS = 60.0
"""Between two messages to one peer, and from one."""
LOOK_SECONDS = 5.0
"""Who had nothing new to hear is thought of again after so long."""
MOST_RECENT = 25
"""Peers of one address family that we parted with in peace and still tell of, where we have no more than that."""
MOST_EXCESS = 6
"""Messages that come too soon, or list far too much, within a minute, before that is an offence."""
MOST_LISTED = 4 * MOST
"""Addresses that a message may list without being one too many; some clients send a hundred."""


@dataclass(slots=True)
class _Listener:
    """What one peer was told.

    Attributes:
        due: when it is told of what changed.
        told: the peers that it believes us to be connected to.
        recent: it heard of those who left up to this one.
    """

    due: float
    told: dict[Address, None] = field(default_factory=dict)
    recent: int = 0


class Gossip:
    """What the peers of one torrent are told of each other: the changes since they were told last.

    Who comes and goes in between is never told of. Peers that parted with us because neither side wants anything are
    told of all the same while there are few others, and taken back with the next message: where all but a few are
    seeds, newcomers would hear of nobody.
    """

    def __init__(self) -> None:
        self._listeners: dict[int, _Listener] = {}
        self._recent: dict[Address, tuple[int, PexFlag]] = {}
        self._parted = 0
        self._turn = 0

    def joined(self, listener: int, now: float) -> None:
        """Somebody came that listens."""
        if listener not in self._listeners:
            self._listeners[listener] = _Listener(now + FIRST_SECONDS + self._turn * TURN_SECONDS)
            self._turn = (self._turn + 1) % TURNS

    def left(self, listener: int) -> None:
        """It is gone."""
        self._listeners.pop(listener, None)

    def parted(self, address: Address, flags: PexFlag) -> None:
        """We parted with a peer though nothing is wrong with it."""
        self._parted += 1
        self._recent.pop(address, None)
        self._recent[address] = (self._parted, flags)
        kin = [known for known in self._recent if known.is_ipv6 == address.is_ipv6]
        if len(kin) > MOST_RECENT:
            del self._recent[kin[0]]

    def due(self, now: float) -> list[int]:
        """Who may be told something now."""
        return [number for number, listener in self._listeners.items() if listener.due <= now]

    def next(
        self, listener: int, live: Mapping[Address, PexFlag], own: Collection[Address], now: float
    ) -> PexMessage | None:
        """The message to send now to a listener that is due; None when nothing changed for it.

        Args:
            listener: who hears.
            live: the peers we are connected to, as far as it may know of them.
            own: addresses of the listener itself.
            now: the time.
        """
        to = self._listeners[listener]
        to.due = now + LOOK_SECONDS
        fresh = {address: flags for address, flags in live.items() if address not in to.told and address not in own}
        for ipv6 in (False, True):
            if sum(address.is_ipv6 == ipv6 for address in live) < MOST_RECENT:
                fresh |= self._recent_for(to, live, own, ipv6=ipv6)
        gone = [address for address in to.told if address not in live]
        if not fresh and not gone:
            return None
        added, dropped = dict(islice(fresh.items(), MOST)), tuple(gone[:MOST])
        for address in dropped:
            del to.told[address]
        to.told.update(dict.fromkeys(added))
        to.recent = self._parted
        to.due = now + INTERVAL_SECONDS
        return PexMessage(added, dropped)

    def _recent_for(
        self, to: _Listener, live: Mapping[Address, PexFlag], own: Collection[Address], *, ipv6: bool
    ) -> dict[Address, PexFlag]:
        return {
            address: flags
            for address, (number, flags) in self._recent.items()
            if address.is_ipv6 == ipv6
            and number > to.recent
            and not (address in to.told or address in live or address in own)
        }


class Ear:
    """How much of what one peer tells is listened to: one message a minute, a second one now and then."""

    __slots__ = ("_excess_until", "_heard_until")

    def __init__(self) -> None:
        self._heard_until = -inf
        self._excess_until = -inf

    def hears(self, now: float) -> bool:
        """Whether a message that came now counts.

        Raises:
            RemoteProtocolError: PEX_FLOOD, it was one too many of those that do not.
        """
        if self._heard_until - now > INTERVAL_SECONDS:
            self.winces(now)
            return False
        self._heard_until = max(self._heard_until, now) + INTERVAL_SECONDS
        return True

    def winces(self, now: float) -> None:
        """Something was too much; raises as `hears`."""
        if self._excess_until - now >= INTERVAL_SECONDS:
            raise RemoteProtocolError(Offence.PEX_FLOOD)
        self._excess_until = max(self._excess_until, now) + INTERVAL_SECONDS / MOST_EXCESS
