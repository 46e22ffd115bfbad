"""A stream round a stream: what the inner one says is encrypted, what it hears was (HOT: bench/transfer).

What comes lies in one buffer, as the inner stream offers no other while it is `encrypted`; it is decrypted where it
lies, in one call. What goes is gathered into one slab and encrypted there, in one call.
"""

from collections.abc import Callable, Sequence

from bittern.base.errors import RemoteProtocolError
from bittern.wire.decoder import Scratch
from bittern.wire.peerwire import PeerWire, WireState
from bittern.wire.stream import Buffer, Link, LinkLost

from .cipher import Cipher, processed
from .exchange import Agreement, Exchange
from .policy import Method
from .slab import SIZE, Slab, gather

HANDSHAKE_READ = 1 << 14
"""Bytes read at once before the handshake is over: what is behind it has to find room in the wire's own buffer."""
LEAST_AT_ONCE = 1 << 14
"""Bytes that are encrypted at once for who takes little: so much of each stream may have to be kept."""


class MseStream:
    """An encrypted connection to a remote client.

    Args:
        link: the transport.
        wire: the inner stream. It keeps the time, so that a handshake that takes too long ends like any other.
        exchange: the handshake.
        scratch: where the bytes of a handshake are received.
        slab: where streams encrypt.
        work_out: called when a shared secret is wanted: `know` is to follow, from within or later.
    """

    __slots__ = (
        "_at_once", "_decipher", "_encipher", "_end", "_exchange", "_kept", "_link", "_missing", "_offered",
        "_out", "_scratch", "_slab", "_start", "_wire", "_work_out",
    )  # fmt: skip

    def __init__(
        self,
        link: Link,
        wire: PeerWire,
        exchange: Exchange,
        scratch: Scratch,
        slab: Slab,
        work_out: Callable[["MseStream", Exchange, float], None],
    ) -> None:
        self._link = link
        self._wire = wire
        self._exchange: Exchange | None = exchange
        self._scratch = scratch
        self._slab = slab
        self._work_out = work_out
        self._out = exchange.out  # of the handshake, that has not gone
        self._encipher: Cipher | None = None
        self._decipher: Cipher | None = None
        self._missing = 0  # bytes of the encrypted beginning of a plain stream
        self._offered: Sequence[memoryview] = ()
        self._at_once = 4 * LEAST_AT_ONCE
        self._start = self._end = 0  # of what is encrypted and has not gone, in the slab or in `_kept`
        self._kept: memoryview | None = None

    # --- called by the link

    def receive_buffers(self) -> Sequence[memoryview]:
        """Where the next bytes should land; see Stream."""
        if self._missing:
            self._offered = [buffer[: self._missing] for buffer in self._wire.receive_buffers()[:1]]
        elif self._exchange is None:
            self._offered = self._wire.receive_buffers()
        elif self._exchange.wanted is None:
            self._offered = (self._scratch.tail[:HANDSHAKE_READ],)
        else:
            self._offered = ()
        return self._offered

    def received(self, count: int, now: float) -> None:
        """Bytes came; see Stream."""
        if self._exchange is not None:
            self.take(bytes(self._offered[0][:count]), now)
        elif self._missing:
            came = self._offered[0][:count]
            self._begin(came)
            self._wire.received(count, now)
        elif self._decipher is None:
            self._wire.received(count, now)
        else:
            came = self._offered[0][:count]
            self._decipher.process(came, came)
            self._wire.received(count, now)

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """What to send next; see Stream."""
        if self._out:
            return (bytes(self._out),)
        if self._start < self._end:
            memory = self._slab.memory if self._kept is None else self._kept
            return (memory[self._start : self._end],)
        if self._exchange is not None:
            return ()
        if self._encipher is None:
            return self._wire.send_buffers(limit)
        parts = self._wire.send_buffers(min(limit, self._at_once))
        if not parts:
            return ()
        memory = self._slab.lend(self)
        self._start, self._end = 0, gather(parts, memory, self._at_once)
        ready = memory[: self._end]
        self._encipher.process(ready, ready)
        return (ready,)

    def sent(self, count: int, now: float) -> None:
        """Bytes went; see Stream."""
        if self._out:
            del self._out[:count]
            self._unwrap()
            return
        if self._encipher is not None:
            self._start += count
            if self._start < self._end:
                self._at_once = max(LEAST_AT_ONCE, self._at_once // 2)
            else:
                if self._start == count:  # it went in one go
                    self._at_once = min(2 * self._at_once, SIZE)
                self._let_go()
        self._wire.sent(count, now)

    def lost(self, reason: LinkLost, now: float) -> None:
        """The link is gone; see Stream."""
        self._let_go()
        self._wire.lost(reason, now)

    # --- called by who made it

    def take(self, data: bytes, now: float) -> None:
        """Bytes of the handshake came, by whichever way."""
        self._advance(lambda exchange: exchange.receive(data), now)

    def know(self, shared: bytes, now: float) -> None:
        """The shared secret that was wanted."""
        self._advance(lambda exchange: exchange.know(shared), now)
        if self._wire.state is not WireState.CLOSED:
            self._link.wake_receiver()

    def keep(self) -> None:
        """See slab.Holder."""
        self._kept = memoryview(bytes(self._slab.memory[self._start : self._end]))
        self._start, self._end = 0, len(self._kept)

    def _advance(self, step: Callable[[Exchange], None], now: float) -> None:
        exchange = self._exchange
        if exchange is None or self._wire.state is WireState.CLOSED:
            return
        try:
            step(exchange)
        except RemoteProtocolError as error:
            self._wire.fail(error, now)
            return
        if self._out:
            self._link.wake_sender()
        if exchange.wanted is not None:
            self._wire.heard = True  # a key: whatever becomes of it, the other side encrypts
            self._work_out(self, exchange, now)
        elif exchange.agreed is not None:
            self._go_on(exchange.agreed, now)

    def _go_on(self, agreed: Agreement, now: float) -> None:
        """The handshake is over."""
        self._exchange = None
        self._decipher = agreed.decipher
        self._link.wake_sender()
        if agreed.method is Method.RC4:
            self._encipher = agreed.encipher
            self._wire.encrypted = True
            self._feed(processed(agreed.decipher, agreed.rest), now)
        else:
            self._missing = agreed.initial
            came = bytearray(agreed.rest)
            self._begin(memoryview(came)[: self._missing])
            self._feed(came, now)

    def _begin(self, came: memoryview) -> None:
        """Decrypt bytes of the beginning of a stream that is plain behind it."""
        assert self._decipher is not None
        self._decipher.process(came, came)
        self._missing -= len(came)
        if not self._missing:
            self._decipher = None
            self._unwrap()

    def _feed(self, data: Buffer, now: float) -> None:
        """Give the wire what came with the handshake: it is in its own, and has room for all of it."""
        if data:
            self._wire.receive_buffers()[0][: len(data)] = data
            self._wire.received(len(data), now)

    def _unwrap(self) -> None:
        """Let the wire speak for itself when only the handshake was encrypted, and has come and gone."""
        if self._exchange is None and self._decipher is None and not self._out:
            self._link.serve(self._wire)

    def _let_go(self) -> None:
        if self._kept is None and self._end:
            self._slab.back()
        self._kept = None
        self._start = self._end = 0
