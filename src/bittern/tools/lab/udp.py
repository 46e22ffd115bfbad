"""Asking UDP trackers for peers (BEP 15): the engine's conversation, on sockets that are waited for."""

import os
import socket
import time
from contextlib import ExitStack
from itertools import count
from select import select

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.engine.effects import Resolve, SendDatagram
from bittern.engine.sources.udp_trackers import UdpAsk, UdpTrackers
from bittern.wire.announce import AnnounceReply, AnnounceRequest
from bittern.wire.tracker_udp import parse_reply, parse_request

from .client import Client

RESEND_SECONDS = 2.0
"""What has no answer is sent again after so long."""
_MOST_BYTES = 65535


def ask(client: Client, tracker: str, request: AnnounceRequest) -> AnnounceReply:
    """Announce to a UDP tracker, by each family of addresses that its name has; the first answer counts.

    Raises:
        TrackerError: its URL is none, it cannot be reached, refuses, or does not answer in time.
    """
    tickets = count(1)
    trackers = UdpTrackers(os.urandom, lambda: next(tickets))
    open_questions = []
    for ipv6 in (False, True):
        number, seconds = next(tickets), client.answer_seconds
        question = UdpAsk(number, tracker, request, ipv6, seconds, local=True, resend_seconds=RESEND_SECONDS)
        trackers.ask(question, time.monotonic())
        open_questions.append(number)
    error = TrackerError("cannot be asked")
    with ExitStack() as stack:
        talk = _Talk(client, trackers, stack)
        while open_questions:
            talk.send()
            for number, answer in trackers.take_answers():
                if isinstance(answer, AnnounceReply):
                    return answer
                open_questions.remove(number)
                error = answer if isinstance(answer, TrackerError) else error
            if open_questions and (due := trackers.next_deadline()) is not None:
                talk.wait(due)
                trackers.advance(time.monotonic())
    raise error


class _Talk:
    """The sockets of one question, each for one address of the tracker."""

    def __init__(self, client: Client, trackers: UdpTrackers, stack: ExitStack) -> None:
        self._trace = client.trace
        self._trackers = trackers
        self._stack = stack
        self._sockets: dict[Address, socket.socket] = {}

    def send(self) -> None:
        """Look up and send what is to be, until there is nothing more."""
        while effects := self._trackers.take_effects():
            for effect in effects:
                if isinstance(effect, Resolve):
                    self._trackers.resolved(effect.ticket, _look_up(effect), time.monotonic())
                elif isinstance(effect, SendDatagram):
                    self._send(effect)

    def wait(self, due: float) -> None:
        """Take in what comes until `due`."""
        patience = max(0.0, due - time.monotonic())
        readable = select(list(self._sockets.values()), [], [], patience)[0] if self._sockets else []
        for address, sock in list(self._sockets.items()):
            if sock in readable:
                self._take(address, sock)

    def _send(self, wish: SendDatagram) -> None:
        address = wish.address
        try:
            if address not in self._sockets:
                family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
                sock = self._stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                sock.connect(address)
                self._sockets[address] = sock
            self._sockets[address].send(wish.data)
        except OSError as error:
            self._lost(address, error)
        else:
            self._trace.sent(address, wish.data, parse_request(wish.data))

    def _take(self, address: Address, sock: socket.socket) -> None:
        try:
            data = sock.recv(_MOST_BYTES)
        except OSError as error:  # nobody is there, says its machine
            self._lost(address, error)
            return
        try:
            meaning: object = parse_reply(data, ipv6=address.is_ipv6)
        except TrackerError as error:
            meaning = str(error)
        self._trace.received(address, data, meaning)
        self._trackers.datagram(data, address, time.monotonic())

    def _lost(self, address: Address, error: OSError) -> None:
        self._trackers.unreachable(address, f"cannot be asked: {error.strerror or error}", time.monotonic())


def _look_up(wish: Resolve) -> tuple[str, ...]:
    family = socket.AF_INET6 if wish.ipv6 else socket.AF_INET
    try:
        found = socket.getaddrinfo(wish.host, None, family, socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(name[0]).partition("%")[0] for *_, name in found))
