import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bittern.base.address import Address
from bittern.tools.lab.client import Client
from bittern.tools.lab.link import Link
from bittern.tools.lab.trace import Trace
from tests.tools.lab.fakes import Wire


@dataclass
class Pair:
    """A link of ours and the peer's end of it, in one thread: what the peer will say is said beforehand."""

    link: Link
    wire: Wire
    lines: list[str] = field(default_factory=list)

    def sent(self) -> list[tuple[int, bytes]]:
        """The messages that we sent so far."""
        messages = []
        while not self.wire.quiet(0):
            messages.append(self.wire.next())
        return messages


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines: list[str] = []
    client = Client(answer_seconds=0.3, trace=Trace(lines.append))
    with theirs, Link(client, Address("10.0.0.1", 6881), ours) as link:
        yield Pair(link, Wire(theirs), lines)
