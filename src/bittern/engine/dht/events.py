"""What a node of the distributed hash table tells whoever runs it."""

from dataclasses import dataclass
from typing import TypeAlias

from bittern.base.address import Address
from bittern.wire.krpc import Contact

from .bloom import Filter
from .items import Item


@dataclass(frozen=True, slots=True)
class PeersFound:
    """A search came upon peers that it had not found before.

    Attributes:
        search: its number.
        info_hash: 20 bytes.
        peers: where they are.
    """

    search: int
    info_hash: bytes
    peers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ItemFound:
    """A search came upon an item, or on a newer version of it; whose it is has been verified."""

    search: int
    item: Item


@dataclass(frozen=True, slots=True)
class SamplesFound:
    """A node told some of the torrents it knows (BEP 51).

    Attributes:
        search: its number.
        contact: who told.
        info_hashes: 20 bytes each.
        count: how many it knows in all.
        interval: seconds until it tells others.
    """

    search: int
    contact: Contact
    info_hashes: tuple[bytes, ...]
    count: int
    interval: int


@dataclass(frozen=True, slots=True)
class SearchDone:
    """A search has come to its end.

    Attributes:
        search: its number.
        target: 20 bytes.
        asked: questions asked, those to write included.
        answered: answers that came.
        stored: nodes that took what was to be written.
        closest: the nodes round the target that answered, closest first.
        scrape: seeds and other peers as filters, if that was asked for and known (BEP 33).
    """

    search: int
    target: bytes
    asked: int
    answered: int
    stored: int
    closest: tuple[Contact, ...]
    scrape: tuple[Filter, Filter] | None = None


@dataclass(frozen=True, slots=True)
class OtherFamily:
    """Nodes of the other address family that somebody named (BEP 32)."""

    contacts: tuple[Contact, ...]


Event: TypeAlias = PeersFound | ItemFound | SamplesFound | SearchDone | OtherFamily
