"""What the workers of a tracker have to say to each other, through sockets between their processes."""

# HOT: bench/tracker.py
import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from bittern.tracker.colleagues import MAX_DATAGRAM, Colleagues

_AGAIN_SECONDS: Final = 0.005


def inboxes(count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """A socket for each worker to read from, and the sockets to write to them; what waits in one outlives a worker."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in (sock for pair in pairs for sock in pair):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * MAX_DATAGRAM)
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


class Post:
    """Carries it, for one worker.

    Args:
        loop: whose turns it takes; all that one turn says to another worker goes in one datagram, if it fits.
        index: this worker's number.
        inbox: this worker's.
        outboxes: of all workers, this one among them.
        answer: from the question of another worker to the reply.

    Attributes:
        colleagues: by which to ask.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        index: int,
        inbox: socket.socket,
        outboxes: Sequence[socket.socket],
        answer: Callable[[bytes], bytes],
    ) -> None:
        # A predecessor's questions are younger than the hours in which these numbers come round.
        number = int(loop.time() * 1000)
        self.colleagues = Colleagues(index, len(outboxes), answer, self._wake, number)
        self._loop = loop
        self._inbox = inbox
        self._outboxes = outboxes
        self._next: asyncio.Handle | None = None
        loop.add_reader(inbox.fileno(), self._receive)

    def close(self) -> None:
        """Carry nothing any more."""
        self._loop.remove_reader(self._inbox.fileno())
        if self._next is not None:
            self._next.cancel()

    def _wake(self) -> None:
        self._next = self._loop.call_soon(self._send)

    def _receive(self) -> None:
        try:
            datagram = self._inbox.recv(MAX_DATAGRAM)
        except BlockingIOError:
            return
        self.colleagues.received(datagram)

    def _send(self) -> None:
        for worker, datagrams in self.colleagues.take_unsent().items():
            for sent, datagram in enumerate(datagrams):
                try:
                    self._outboxes[worker].send(datagram)
                except BlockingIOError:
                    self.colleagues.put_back(worker, datagrams[sent:])
                    self._next = self._loop.call_later(_AGAIN_SECONDS, self._send)
                    break
                except OSError:
                    continue  # nobody reads there any more, and this process is about to end, too
