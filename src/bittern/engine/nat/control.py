"""One router and the ports that it is asked for: by PCP (RFC 6887), or NAT-PMP (RFC 6886) where it knows only that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from bittern.base.errors import GatewayError
from bittern.wire import natpmp, pcp

from .epoch import Epoch
from .lease import LIFETIME_SECONDS, Lease, Wish, renewal_seconds

FIRST_WAIT: Final = 0.25
"""Seconds until a question is repeated; twice as long after each more (RFC 6886 3.1)."""
MOST_TRIES: Final = 9
"""Questions without an answer after which the router counts as one that knows neither protocol."""
PCP_TRIES: Final = 3
"""Those of them by PCP: some routers that know only NAT-PMP do not say so."""
AGAIN_SECONDS: Final = 900.0
"""It is asked anew after so long: it may have been replaced."""
REFUSED_SECONDS: Final = 300.0
"""What was refused is asked for again after so long."""
MOST_REFUSED_SECONDS: Final = 1800.0
"""And after so long at the latest, whatever the router says: it is what it is to say at most (RFC 6887 7.4)."""
PACE_SECONDS: Final = 3.0
"""Seconds for each question, after `BURST` at once: there are routers whose every answer leads to another one."""
BURST: Final = 20


@dataclass(slots=True, eq=False)
class _Item:
    """Something that is asked for: a mapping, or where `wish` is None, our address (NAT-PMP)."""

    wish: Wish | None
    nonce: bytes
    due: float
    lease: Lease | None = None
    until: float = inf


class PortControl:
    """The conversation with one router: one question at a time, repeated until it is answered.

    Answers are to be handed in only if they came from the router's address and its port 5351.

    Args:
        ours: our address as the router sees it; of the family that is mapped.
        wishes: what is asked for, in this order: those that follow ask for the external port that the first was given.
        entropy: gives so many bytes by chance.
        now: the time.

    Attributes:
        leases: what holds now.
        refusal: why nothing does, for people; None where the router has not refused.
        answered: whether the router speaks either protocol.
        silent: whether it did not answer at all.
    """

    def __init__(self, ours: str, wishes: Sequence[Wish], entropy: Callable[[int], bytes], now: float) -> None:
        self._ours = ours
        self._items = [_Item(wish, entropy(pcp.NONCE_BYTES), now) for wish in wishes]
        self._pcp = True
        self._epoch = Epoch()
        self._asked: _Item | None = None
        self._tries = 0
        self._repeat_due = inf
        self._pace = now
        self._host: str | None = None
        self._closing = False
        self._out: list[bytes] = []
        self.refusal: str | None = None
        self.answered = False
        self.silent = False

    @property
    def leases(self) -> tuple[Lease, ...]:
        """What the router lets in now."""
        return tuple(item.lease for item in self._items if item.lease is not None)

    def next_deadline(self) -> float:
        """When `advance` has something to do."""
        due = self._repeat_due
        if self._asked is None:
            due = max(min(item.due for item in self._items), self._open_at)
        return min(due, *(item.until for item in self._items))

    def take_datagrams(self) -> list[bytes]:
        """What is to be sent to the router now."""
        out, self._out = self._out, []
        return out

    def advance(self, now: float) -> None:
        """Ask what is to be asked now, and forget what is over."""
        for item in self._items:
            if item.until <= now:
                item.lease, item.until = None, inf
        if self._asked is not None and now >= self._repeat_due:
            if self._pcp and not self.answered and self._tries >= PCP_TRIES:
                self._speak(now, pcp_too=False)
            elif self._tries < MOST_TRIES:
                self._send(self._asked, now)
            else:
                self._give_up(now)
        if self._asked is None and self._open_at <= now:
            item = min(self._items, key=lambda item: item.due)
            if item.due <= now:
                self._asked, self._tries = item, 0
                self._send(item, now)

    def receive(self, datagram: bytes, now: float) -> None:
        """The router sent something; what makes no sense, or was not asked for, is ignored."""
        try:
            if pcp.version_of(datagram) == pcp.VERSION:
                if not self._pcp and not self.answered:
                    self._speak(now, pcp_too=True)  # what a router says that knows nothing else (RFC 6887 9.)
                self._on_pcp(pcp.parse(datagram), now)
            else:
                self._on_natpmp(natpmp.parse(datagram), now)
        except GatewayError:
            pass  # it may have told all the same that it knows PCP
        self.advance(now)

    def release(self, now: float) -> None:
        """Take everything back; `leases` is empty when that is done.

        What may be granted just now is taken back, too, but nobody waits for that.
        """
        asked = self._asked
        self._closing, self._asked, self._repeat_due, self._pace = True, None, inf, now
        for item in self._items:
            item.due = now if item.lease is not None else inf
        if asked is not None and asked.wish is not None and asked.lease is None:
            self._out.append(self._question(asked))
        self.advance(now)

    def _speak(self, now: float, *, pcp_too: bool) -> None:
        """Ask by PCP from now on, or by NAT-PMP, where our address is asked for beside the ports."""
        self._pcp, self._asked, self._repeat_due = pcp_too, None, inf
        items = [item for item in self._items if item.wish is not None]
        self._items = items if pcp_too else [_Item(None, b"", -inf), *items]

    # --- asking

    @property
    def _open_at(self) -> float:
        """When a new question may be asked."""
        return self._pace - PACE_SECONDS * BURST

    def _send(self, item: _Item, now: float) -> None:
        self._pace = max(self._pace, now) + PACE_SECONDS
        self._repeat_due = now + FIRST_WAIT * 2**self._tries
        self._tries += 1
        self._out.append(self._question(item))

    def _question(self, item: _Item) -> bytes:
        wish, lease = item.wish, item.lease
        if wish is None:
            return natpmp.ask_address()
        lifetime = 0 if self._closing else LIFETIME_SECONDS
        wanted = lease.external_port if lease is not None else wish.external_port
        if not self._pcp:
            return natpmp.ask_mapping(wish.carrier, wish.port, 0 if self._closing else wanted, lifetime)
        host = (lease.external_host or "") if lease is not None else ""
        return pcp.ask_mapping(self._ours, item.nonce, wish.carrier, wish.port, wanted, lifetime, host)

    def _give_up(self, now: float) -> None:
        self.silent, self.answered = True, False
        self._speak(now, pcp_too=True)
        for item in self._items:
            item.due = inf if self._closing else max(item.due, now + AGAIN_SECONDS)

    def _answered(self, item: _Item, due: float) -> None:
        self.answered, self.silent = True, False
        item.due = inf if self._closing else due
        self._asked, self._repeat_due = None, inf

    # --- answers

    def _on_pcp(self, said: pcp.Mapped | pcp.Refused, now: float) -> None:
        item = self._asked
        if item is None or item.wish is None or not self._pcp:
            return
        if isinstance(said, pcp.Refused):
            if said.nonce in (item.nonce, b""):
                self._refused(
                    item, str(said), now + min(max(said.lifetime, REFUSED_SECONDS), MOST_REFUSED_SECONDS), now
                )
        elif (said.nonce, said.carrier, said.port) == (item.nonce, item.wish.carrier, item.wish.port):
            lease = Lease(said.carrier, said.port, said.external_port, said.external_host, "PCP")
            self._granted(item, lease, said.lifetime, said.epoch, now)

    def _on_natpmp(self, said: natpmp.Answer, now: float) -> None:
        item = self._asked
        if item is None:
            return
        if self._pcp:
            # RFC 6886 9.: a router that knows no PCP says so by its own protocol.
            if isinstance(said, natpmp.Refused) and said.code == 1:
                self._speak(now, pcp_too=False)
            return
        wish = item.wish
        if isinstance(said, natpmp.Refused):
            if said.carrier is (wish.carrier if wish is not None else None):
                self._refused(item, str(said), now + REFUSED_SECONDS, now)
        elif isinstance(said, natpmp.OurAddress):
            if wish is None:
                self._host = said.host
                self._heard(said.epoch, now)
                self._answered(item, now + renewal_seconds(LIFETIME_SECONDS))
        elif wish is not None and (said.carrier, said.port) == (wish.carrier, wish.port):
            lease = Lease(said.carrier, said.port, said.external_port, self._host, "NAT-PMP")
            self._granted(item, lease, said.lifetime, said.epoch, now)

    def _granted(self, item: _Item, lease: Lease, lifetime: int, epoch: int, now: float) -> None:
        self._heard(epoch, now)
        if not lifetime:
            item.lease, item.until = None, inf
            self._answered(item, inf if self._closing else now + REFUSED_SECONDS)
            return
        if self._closing:
            return  # what was granted before comes late, or twice
        item.lease, item.until, self.refusal = lease, now + lifetime, None
        self._answered(item, now + renewal_seconds(lifetime))
        for other in self._items:
            if other.lease is None and other.wish is not None and other.wish.port == lease.port:
                other.wish = Wish(other.wish.carrier, other.wish.port, lease.external_port)

    def _refused(self, item: _Item, reason: str, due: float, now: float) -> None:
        self.refusal = reason
        if self._closing:
            item.lease, item.until = None, inf
        self._answered(item, due)

    def _heard(self, epoch: int, now: float) -> None:
        """A router that forgot everything is asked anew at once."""
        if not self._epoch.heard(epoch, now) and not self._closing:
            for item in self._items:
                item.due = now
