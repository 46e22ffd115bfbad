"""Conversations with trackers over UDP (BEP 15), for all torrents of a core: no sockets, no clocks.

A tracker gives out a connection id for a minute, so that nobody announces in another's name. Who asks the same tracker
at the same time shares one look-up, and one such id. What is not answered is sent again after 15 s, then 30 s, and so
on, until the time of the question is over; sooner where who asks has less time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from bittern.base.address import Address
from bittern.base.deadlines import Deadlines
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.engine.effects import Effect, Resolve, SendDatagram
from bittern.engine.swarm.ip_filter import Blocked, IpFilter
from bittern.wire.announce import AnnounceReply, AnnounceRequest, ScrapeEntry
from bittern.wire.tracker_udp import (
    Announce,
    Announced,
    Connect,
    Connected,
    Refused,
    Request,
    Scrape,
    Scraped,
    encode_request,
    endpoint,
    parse_reply,
    transaction_of,
    url_data,
)

from .guard import refusal

CONNECTION_SECONDS: Final = 60.0
"""A connection id is used for so long (BEP 15)."""
FIRST_RESEND_SECONDS: Final = 15.0
"""What has no answer is sent again after so long, doubled each time (BEP 15)."""
MOST_DOUBLINGS: Final = 8

Answer = AnnounceReply | tuple[ScrapeEntry, ...] | TrackerError


@dataclass(frozen=True, slots=True)
class UdpAsk:
    """A question to a UDP tracker; it is answered once, by the same `ticket`.

    Attributes:
        tracker: its URL.
        about: what to announce, or the swarms to scrape.
        ipv6: whether to reach it by IPv6, else by IPv4.
        timeout_seconds: time for everything, from look-up to answer.
        local: whether it may be on this machine or in its network.
        resend_seconds: what has no answer is sent again after so long, doubled each time.
        filtered: whether the IP filter is for it.
    """

    ticket: int
    tracker: str
    about: AnnounceRequest | tuple[InfoHashV1, ...]
    ipv6: bool
    timeout_seconds: float
    local: bool = False
    resend_seconds: float = FIRST_RESEND_SECONDS
    filtered: bool = True


@dataclass(slots=True, eq=False)
class _Line:
    """One tracker by one family of addresses."""

    number: int
    key: tuple[str, int, bool]
    address: Address | None = None
    others: list[Address] = field(default_factory=list)  # that may be asked instead, by everybody
    resolving: bool = False
    connection: int | None = None
    valid_until: float = 0.0
    transaction: int | None = None  # of the request for a connection id, while that is under way
    tries: int = 0
    again_at: float = 0.0  # that request is sent again
    waiting: dict[int, "_Asked"] = field(default_factory=dict)  # for the connection id
    open: dict[int, "_Asked"] = field(default_factory=dict)  # all that were not answered yet, by ticket


@dataclass(slots=True, eq=False)
class _Asked:
    """A question that is under way."""

    ask: UdpAsk
    line: _Line
    give_up_at: float
    transaction: int | None = None
    tries: int = 0


class UdpTrackers:
    """All UDP trackers.

    Args:
        entropy: gives bytes that nobody can guess.
        next_ticket: a number for each look-up.
        ip_filter: of all torrents; None for none.

    Attributes:
        lines: to trackers that are being asked, or were within a minute, by number; while there is none, there is
            nothing to do.
    """

    def __init__(
        self, entropy: Callable[[int], bytes], next_ticket: Callable[[], int], ip_filter: IpFilter | None = None
    ) -> None:
        self._filter = ip_filter if ip_filter is not None else IpFilter()
        self._entropy = entropy
        self._next_ticket = next_ticket
        self._lines: dict[tuple[str, int, bool], _Line] = {}
        self.lines: dict[int, _Line] = {}
        self._last_number = 0
        self._looked_up: dict[int, _Line] = {}
        self._asked: dict[int, _Asked] = {}
        self._exchanges: dict[int, _Line | _Asked] = {}  # by transaction id
        self._deadlines = Deadlines()  # of questions by ticket, of lines by their number, which is negative
        self._effects: list[Effect] = []
        self._answers: list[tuple[int, Answer]] = []

    # --- questions and answers

    def ask(self, ask: UdpAsk, now: float) -> None:
        """Ask a tracker; `take_answers` will have an answer, or why there is none.

        Raises:
            TrackerError: its URL is none.
        """
        url_data(ask.tracker)
        key = (*endpoint(ask.tracker), ask.ipv6)
        line = self._lines.get(key)
        if line is None:
            self._last_number -= 1
            line = self._lines[key] = self.lines[self._last_number] = _Line(self._last_number, key)
        asked = _Asked(ask, line, now + ask.timeout_seconds)
        self._asked[ask.ticket] = line.open[ask.ticket] = line.waiting[ask.ticket] = asked
        self._deadlines.set(ask.ticket, asked.give_up_at)
        self._go_on(line, now)
        if line.transaction is not None and ask.resend_seconds < FIRST_RESEND_SECONDS:
            # The request for an id may be one that was sent, and lost, when there was more time.
            line.again_at = min(line.again_at, now + ask.resend_seconds)
            self._deadlines.set(line.number, line.again_at)

    def withdraw(self, ticket: int, now: float) -> bool:
        """Do not ask any more what could not be asked yet, for want of a connection id; False where it was, or none."""
        asked = self._asked.get(ticket)
        if asked is None or asked.transaction is not None:
            return False
        del self._asked[ticket], asked.line.open[ticket]
        asked.line.waiting.pop(ticket, None)
        self._deadlines.set(ticket, None)
        self._rest(asked.line, now)
        return True

    def take_answers(self) -> list[tuple[int, Answer]]:
        """What became of questions since the last call: ticket, and answer or error."""
        answers, self._answers = self._answers, []
        return answers

    def take_effects(self) -> list[Effect]:
        """Look-ups to make and datagrams to send."""
        effects, self._effects = self._effects, []
        return effects

    # --- what the world tells

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> bool:
        """A look-up has this result, empty for nothing; whether it was one of ours."""
        line = self._looked_up.pop(ticket, None)
        if line is None:
            return False
        line.resolving = False
        usable = [host for host in hosts if (":" in host) == line.key[2] and refusal(host, local=True) is None]
        usable.sort(key=self._filter.blocks)  # those that are blocked last
        if not usable:
            family = "IPv6" if line.key[2] else "IPv4"
            self._fail_all(line, TrackerError(f"{line.key[0]} has no {family} address that can be asked"))
            self._rest(line, now)
            return True
        line.address, *line.others = [Address.of(host, line.key[1]) for host in usable]
        self._keep_free(line)
        self._go_on(line, now)
        return True

    def datagram(self, data: bytes, source: Address, now: float) -> bool:
        """Something came from `source`; whether it answers one of our questions."""
        transaction = transaction_of(data)
        exchange = self._exchanges.get(transaction) if transaction is not None else None
        line = exchange.line if isinstance(exchange, _Asked) else exchange
        if exchange is None or line is None:
            return False
        if line.address != source and (isinstance(exchange, _Asked) or source not in line.others):
            return False
        try:
            reply = parse_reply(data, ipv6=line.key[2])
        except TrackerError as error:
            self._refused(exchange, line, error)
        else:
            if isinstance(reply, Refused):
                self._refused(exchange, line, TrackerError(reply.words))
            elif isinstance(reply, Connected) and isinstance(exchange, _Line):
                self._stop_connecting(line)
                if line.address is not None and source in line.others:
                    line.others[line.others.index(source)], line.address = line.address, source
                line.connection, line.valid_until = reply.connection, now + CONNECTION_SECONDS
                self._go_on(line, now)
            elif isinstance(exchange, _Asked) and isinstance(reply, Announced) and _announces(exchange):
                self._answer(exchange, reply.reply)
            elif isinstance(exchange, _Asked) and isinstance(reply, Scraped) and not _announces(exchange):
                self._answer(exchange, reply.entries)
        self._rest(line, now)
        return True

    def unreachable(self, address: Address, reason: str, now: float) -> None:
        """Nothing can be sent to `address`."""
        for line in list(self.lines.values()):
            if line.address == address and line.others:
                line.address, line.connection = line.others.pop(0), None
                line.waiting = dict(line.open)
                if line.transaction is not None:
                    self._emit(line, Connect(line.transaction))
                else:
                    self._go_on(line, now)
            elif line.address == address:
                self._fail_all(line, TrackerError(reason))
                self._rest(line, now)

    def filter_changed(self, now: float) -> None:
        """The IP filter is another: whom it keeps out is asked no more."""
        for line in list(self.lines.values()):
            if line.address is not None:
                self._keep_free(line)
                self._refuse(line.address.host, line.open.values())
                self._rest(line, now)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        return self._deadlines.next()

    def advance(self, now: float) -> None:
        """Send again what has no answer, and give up where the time is over."""
        for key in self._deadlines.take(now):
            line, asked = self.lines.get(key), self._asked.get(key)  # gone, perhaps, with one that was due before
            if line is not None:
                if line.transaction is not None:
                    self._connect(line, now)
                self._rest(line, now)
            elif asked is not None and now >= asked.give_up_at:
                self._answer(asked, TrackerError(f"no answer within {asked.ask.timeout_seconds:g} s"))
                self._rest(asked.line, now)
            elif asked is not None:
                asked.line.waiting[key] = asked
                self._deadlines.set(key, asked.give_up_at)
                self._go_on(asked.line, now)

    # --- one line

    def _go_on(self, line: _Line, now: float) -> None:
        """Do the next step towards an answer for all who wait."""
        if line.address is not None:
            self._refuse(line.address.host, line.waiting.values())
        if not line.waiting:
            self._rest(line, now)
        elif line.address is None:
            if not line.resolving:
                line.resolving = True
                ticket = self._next_ticket()
                self._looked_up[ticket] = line
                self._effects.append(Resolve(ticket, line.key[0], ipv6=line.key[2]))
        elif line.connection is None or now >= line.valid_until:
            if line.transaction is None:
                line.connection, line.tries = None, 0
                self._connect(line, now)
        else:
            waiting, line.waiting = line.waiting, {}
            for asked in waiting.values():
                self._send(asked, line.connection, now)

    def _refuse(self, host: str, questions: Iterable[_Asked]) -> None:
        """Answer those among some questions that may not go to `host`."""
        for asked in list(questions):
            reason = refusal(host, local=asked.ask.local)
            if reason is None and asked.ask.filtered and self._filter.refuses(host, Blocked.TRACKER):
                reason = f"the IP filter blocks its address, {host}"
            if reason is not None:
                self._answer(asked, TrackerError(reason))

    def _keep_free(self, line: _Line) -> None:
        """Of several addresses keep those that may be asked for anybody, if the first is one; else it alone."""
        if line.others and line.address is not None:
            free = [each for each in (line.address, *line.others) if self._is_free(each.host)]
            line.others = free[1:] if line.address in free else []

    def _is_free(self, host: str) -> bool:
        return refusal(host, local=False) is None and not self._filter.blocks(host)

    def _connect(self, line: _Line, now: float) -> None:
        """Ask for a connection id, for the first time or again, then at the next address, if there are several."""
        if line.transaction is None:
            line.transaction = self._new_transaction(line)
        elif line.address is not None and line.others:
            line.others.append(line.address)
            line.address = line.others.pop(0)
        self._emit(line, Connect(line.transaction))
        first = min((asked.ask.resend_seconds for asked in line.waiting.values()), default=FIRST_RESEND_SECONDS)
        line.again_at = now + _patience(first, line.tries)
        self._deadlines.set(line.number, line.again_at)
        line.tries += 1

    def _send(self, asked: _Asked, connection: int, now: float) -> None:
        ask = asked.ask
        if asked.transaction is None:
            asked.transaction = self._new_transaction(asked)
        if isinstance(ask.about, AnnounceRequest):
            self._emit(asked.line, Announce(connection, asked.transaction, ask.about, url_data(ask.tracker)))
        else:
            self._emit(asked.line, Scrape(connection, asked.transaction, ask.about))
        self._deadlines.set(ask.ticket, min(now + _patience(ask.resend_seconds, asked.tries), asked.give_up_at))
        asked.tries += 1

    def _emit(self, line: _Line, request: Request) -> None:
        assert line.address is not None
        self._effects.append(SendDatagram(line.address, encode_request(request)))

    def _refused(self, exchange: _Line | _Asked, line: _Line, error: TrackerError) -> None:
        """The tracker does not want to; perhaps it does not know the connection id any more."""
        if isinstance(exchange, _Asked):
            line.connection = None
            self._answer(exchange, error)
        else:
            self._fail_all(line, error)

    def _fail_all(self, line: _Line, error: TrackerError) -> None:
        """Nobody on this line gets an answer; it begins from the look-up the next time."""
        for asked in list(line.open.values()):
            self._answer(asked, error)
        self._stop_connecting(line)
        line.address = line.connection = None
        line.others.clear()

    def _answer(self, asked: _Asked, answer: Answer) -> None:
        ticket = asked.ask.ticket
        del self._asked[ticket], asked.line.open[ticket]
        asked.line.waiting.pop(ticket, None)
        if asked.transaction is not None:
            del self._exchanges[asked.transaction]
        self._deadlines.set(ticket, None)
        self._answers.append((ticket, answer))

    def _stop_connecting(self, line: _Line) -> None:
        if line.transaction is not None:
            del self._exchanges[line.transaction]
            line.transaction = None
            self._deadlines.set(line.number, None)

    def _rest(self, line: _Line, now: float) -> None:
        """Nobody may want anything of a line any more: it is forgotten with its connection id."""
        if line.open or line.resolving or line.number not in self.lines:
            return
        self._stop_connecting(line)
        if line.connection is not None and now < line.valid_until:
            self._deadlines.set(line.number, line.valid_until)
        else:
            self._deadlines.set(line.number, None)
            del self.lines[line.number], self._lines[line.key]

    def _new_transaction(self, exchange: _Line | _Asked) -> int:
        """A number that an answer must carry: who does not see our datagrams cannot guess it."""
        while (transaction := int.from_bytes(self._entropy(4))) in self._exchanges:
            pass
        self._exchanges[transaction] = exchange
        return transaction


def _announces(asked: _Asked) -> bool:
    return isinstance(asked.ask.about, AnnounceRequest)


def _patience(first: float, tries: int) -> float:
    """Seconds until the next try, after `tries` before the last (BEP 15)."""
    return first * 2.0 ** min(tries, MOST_DOUBLINGS)
