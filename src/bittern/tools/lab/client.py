"""Who we are while a command runs, and how long we wait."""

from dataclasses import dataclass, field
from os import urandom

from bittern.base.ids import PeerId
from bittern.version import __version__

from .trace import SILENT, Trace

NAME = f"bittern/{__version__}"


def new_peer_id() -> PeerId:
    """`-BZ`, four digits of the version, `-` and 12 random characters (BEP 20)."""
    digits = "".join(part[:1] for part in __version__.split(".")[:3])
    return PeerId(f"-BZ{digits.ljust(4, '0')}-{urandom(6).hex()}".encode())


@dataclass(frozen=True, slots=True)
class Client:
    """One run of a command.

    Attributes:
        peer_id: our name.
        port: what we tell trackers, though nobody listens there.
        connect_seconds: patience for a connection to be made.
        answer_seconds: patience for whatever we wait for next: a handshake, a message, a block.
        trace: is shown everything that passes.
    """

    peer_id: PeerId = field(default_factory=new_peer_id)
    port: int = 50413
    connect_seconds: float = 4.0
    answer_seconds: float = 10.0
    trace: Trace = SILENT
