"""Message stream encryption of all connections of a core: which are, by which torrent's name, and at what pace."""

from collections.abc import Callable

from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.handshake import HANDSHAKE_SIZE
from bittern.wire.mse.arrival import Arrival
from bittern.wire.mse.cipher import MakeCipher
from bittern.wire.mse.exchange import Exchange, Initiator, Responder
from bittern.wire.mse.keys import shared_secret
from bittern.wire.mse.policy import Encryption, Method
from bittern.wire.mse.slab import Slab
from bittern.wire.mse.stream import MseStream
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import Link, Stream

from .effects import WorkOut
from .world import Shared

SECRETS_AT_ONCE = 4
"""Shared secrets that one turn works out itself, about a millisecond; when more are wanted, others see to those."""


class Encrypting:
    """That of one core.

    Args:
        shared: what the torrents of the core share.
        find: the name of a torrent, by its `name_mark`; None where there is none.
        make: makes ciphers; None where there are none.

    Raises:
        LocalProtocolError: there is to be encryption, and there are no ciphers.
    """

    def __init__(self, shared: Shared, find: Callable[[bytes], InfoHashV1 | None], make: MakeCipher | None) -> None:
        settings = shared.settings
        if make is None and {settings.encryption_in, settings.encryption_out} != {Encryption.OFF}:
            raise LocalProtocolError("encryption is wanted, and no cipher was handed in")
        self._shared = shared
        self._find = find
        self._make = make
        self._slab = Slab() if make is not None else None
        self._turn = 0.0
        self._worked_out = 0  # in that turn
        self._waiting: dict[int, MseStream] = {}  # for a secret, by ticket

    def arrived(self, link: Link, wire: PeerWire) -> Stream:
        """The stream of a connection that was made to us, whose inner one is `wire`."""
        policy, make = self._shared.settings.encryption_in, self._make
        if make is None or not policy.methods:
            return wire

        def encrypted() -> MseStream:
            return self._stream(link, wire, Responder(self._shared.chance.entropy, make, self._find, policy))

        return Arrival(link, wire, self._shared.scratch, encrypted, plain=policy.plain)

    def dialed(self, link: Link, wire: PeerWire, name: InfoHashV1, now: float) -> Stream:
        """The stream of a connection that we made to encrypt it.

        Args:
            link: the transport.
            wire: the inner stream; what it has to say goes with the handshake where it will be encrypted for sure.
            name: of the torrent.
            now: the time.
        """
        assert self._make is not None
        policy, words = self._shared.settings.encryption_out, b""
        if Method.PLAIN not in policy.methods:  # else Transmission 3 may take encrypted words for plain ones
            words = b"".join(wire.send_buffers(HANDSHAKE_SIZE))
            wire.sent(len(words), now)
        return self._stream(link, wire, Initiator(self._shared.chance.entropy, self._make, name, policy, words))

    def worked_out(self, ticket: int, secret: bytes, now: float) -> None:
        """A `WorkOut` was done."""
        stream = self._waiting.pop(ticket, None)
        if stream is not None:
            stream.know(secret, now)

    def _stream(self, link: Link, wire: PeerWire, exchange: Exchange) -> MseStream:
        assert self._slab is not None
        return MseStream(link, wire, exchange, self._shared.scratch, self._slab, self._work_out)

    def _work_out(self, stream: MseStream, exchange: Exchange, now: float) -> None:
        assert exchange.wanted is not None
        if now != self._turn:
            self._turn, self._worked_out = now, 0
        if self._worked_out < SECRETS_AT_ONCE:
            self._worked_out += 1
            stream.know(shared_secret(exchange.secret, exchange.wanted), now)
        else:
            ticket = self._shared.next_ticket()
            self._waiting[ticket] = stream
            self._shared.effects.append(WorkOut(ticket, exchange.secret, exchange.wanted))
