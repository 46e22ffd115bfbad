"""Questions on their way: an answer counts if it comes from where the question went, with its transaction id."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bittern.base.address import Address
from bittern.wire.krpc import Ask, Contact, Query, Reply

SLOW_SECONDS: Final = 1.0
"""Who has not answered by then is not waited for alone: somebody else is asked, too."""
GONE_SECONDS: Final = 2.5
"""Who has not answered by then does not answer."""
TRANSACTION_BYTES: Final = 4


class Asker(Protocol):
    """Who asked something and is told what became of it: exactly one of `answered` and `failed` follows."""

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """`contact` answered; its id is that of the reply, whatever it was thought to be."""
        ...

    def failed(self, contact: Contact, now: float) -> None:
        """`contact` refused or did not answer."""
        ...

    def slow(self, contact: Contact, now: float) -> None:
        """`contact` takes its time."""
        ...


@dataclass(slots=True)
class Call:
    """One question.

    Attributes:
        contact: who was asked; its id is empty where only the address was known.
        asker: who wants to know.
        sent_at: when it was asked.
    """

    contact: Contact
    asker: Asker
    sent_at: float
    transaction: bytes
    slow: bool = False


class Calls:
    """All questions of one node that have no answer yet.

    Args:
        entropy: makes transaction ids that nobody can guess.
    """

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._open: dict[bytes, Call] = {}
        self._line: deque[Call] = deque()  # by time, with some that are answered already
        self._slow_line: deque[Call] = deque()

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, own_id: bytes, contact: Contact, ask: Ask, asker: Asker, now: float, *, read_only: bool) -> bytes:
        """The datagram that asks `contact`."""
        transaction = self._entropy(TRANSACTION_BYTES)
        while transaction in self._open:
            transaction = self._entropy(TRANSACTION_BYTES)
        call = Call(contact, asker, now, transaction)
        self._open[transaction] = call
        self._line.append(call)
        return Query(transaction, own_id, ask, read_only=read_only).encode()

    def take(self, transaction: bytes, address: Address) -> Call | None:
        """The question that was asked at `address` with this transaction id, or None: then nobody asked."""
        call = self._open.get(transaction)
        if call is None or call.contact.address != address:
            return None
        return self._open.pop(transaction)

    def next_deadline(self) -> float | None:
        """When the next question becomes slow or is given up."""
        for line in (self._line, self._slow_line):
            while line and line[0].transaction not in self._open:
                line.popleft()
        slow = self._line[0].sent_at + SLOW_SECONDS if self._line else None
        gone = self._slow_line[0].sent_at + GONE_SECONDS if self._slow_line else None
        return min((due for due in (slow, gone) if due is not None), default=None)

    def take_due(self, now: float) -> tuple[list[Call], list[Call]]:
        """The questions that are slow from now on, and those that are given up."""
        slow, gone = [], []
        while self._line and self._line[0].sent_at + SLOW_SECONDS <= now:
            call = self._line.popleft()
            if call.transaction in self._open:
                slow.append(call)
                self._slow_line.append(call)
        while self._slow_line and self._slow_line[0].sent_at + GONE_SECONDS <= now:
            call = self._slow_line.popleft()
            if self._open.pop(call.transaction, None) is not None:
                gone.append(call)
        return slow, gone
