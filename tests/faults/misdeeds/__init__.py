"""Everything that peers do wrong, as catalogued: what it is, whom it is done to, what becomes of who does it."""

from tests.faults.rigs.misdeed import Misdeed

from .connections import CONNECTIONS
from .content import CONTENT
from .datagrams import DATAGRAMS
from .encryption import ENCRYPTION
from .gossip import GOSSIP
from .messages import MESSAGES
from .metadata import METADATA
from .requests import REQUESTS
from .utp import UTP

__all__ = ["CONNECTIONS", "MISDEEDS"]

MISDEEDS: dict[str, list[Misdeed]] = {
    "Messages": MESSAGES,
    "Requests and floods": REQUESTS,
    "Content": CONTENT,
    "Metadata and hashes": METADATA,
    "Connections": CONNECTIONS,
    "Gossip": GOSSIP,
    "uTP": UTP,
    "Encryption": ENCRYPTION,
    "Datagrams of the hash table": DATAGRAMS,
}
"""By the headings of the documentation."""
