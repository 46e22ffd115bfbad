"""What we answer to the queries of others, in the room that they have earned."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf
from typing import TYPE_CHECKING, Final, TypeAlias

from bittern.base.address import Address
from bittern.wire.krpc import (
    BAD_SIGNATURE,
    CAS_MISMATCH,
    OLD_SEQUENCE,
    PROTOCOL,
    SERVER,
    AnnouncePeer,
    FindNode,
    GetItem,
    GetPeers,
    Ping,
    PutItem,
    Query,
    Refusal,
    Reply,
    SampleInfohashes,
    Want,
)

from .items import ItemStore, Verify
from .peers import PeerStore
from .places import owner_of
from .table import BUCKET, Table
from .tokens import Tokens

if TYPE_CHECKING:
    from random import Random

MAX_REPLY: Final = 1024
"""Bytes of our longest datagram (BEP 32)."""
MAX_ITEM_REPLY: Final = 1400
"""Bytes of our longest datagram with an item in it, which fits into any packet but not into the above."""
MAX_VALUES: Final = 50
"""Peers in a reply."""
EXPIRE_SECONDS: Final = 300.0
_LEAST_VALUES: Final = 8
_LEAST_NODES: Final = 2

_TEXTS: Final = {
    CAS_MISMATCH: "another version is stored",
    OLD_SEQUENCE: "a newer version is stored",
    BAD_SIGNATURE: "the signature is wrong",
    SERVER: "there is no room",
}

Closest: TypeAlias = Callable[[bytes, int], bytes]
"""Compact nodes round a target, up to a number, from the node of the other address family."""


def nobody(target: bytes, count: int) -> bytes:
    """There is no node of the other family."""
    del target, count
    return b""


class Answers:
    """Answers queries out of the table and of what others stored here.

    Args:
        own_id: the node's id.
        table: the nodes it knows.
        ipv6: its address family.
        rng: picks what is told of where there is too much.
        entropy: for the secrets of tokens.
        verify: checks signatures.
        now: seconds.
    """

    def __init__(
        self,
        own_id: bytes,
        table: Table,
        *,
        ipv6: bool,
        rng: "Random",
        entropy: Callable[[int], bytes],
        verify: Verify,
        now: float,
    ) -> None:
        self._id = own_id
        self._table = table
        self._ipv6 = ipv6
        self._tokens = Tokens(entropy, now)
        self._expire_due = now + EXPIRE_SECONDS
        self.peers = PeerStore(own_id, rng)
        self.items = ItemStore(own_id, verify)
        self.other_family: Closest = nobody

    def move(self, own_id: bytes, table: Table) -> None:
        """The node has another id, and a table round it."""
        self._id, self._table = own_id, table
        self.peers.move(own_id)
        self.items.move(own_id)

    def expire(self, now: float) -> None:
        """Forget what is old, every five minutes."""
        if now >= self._expire_due:
            self._expire_due = now + EXPIRE_SECONDS
            self.peers.expire(now)
            self.items.expire(now)

    def answer(self, query: Query, address: Address, now: float) -> Reply | Refusal:
        """The whole answer to a query from `address`."""
        ask, transaction = query.ask, query.transaction
        match ask:
            case Ping():
                return Reply(transaction, self._id, external=address)
            case FindNode():
                four, six = self._nodes(ask.target, ask.want)
                return Reply(transaction, self._id, four, six, external=address)
            case GetPeers():
                return self._peers(transaction, ask, address, now)
            case AnnouncePeer():
                return self._announce(transaction, ask, address, now)
            case GetItem():
                return self._item(transaction, ask, address, now)
            case PutItem():
                return self._put(transaction, ask, address, now)
            case SampleInfohashes():
                return self._sample(transaction, ask, address, now)

    def _nodes(self, target: bytes, want: Want) -> tuple[bytes | None, bytes | None]:
        """Compact nodes of IPv4 and of IPv6."""
        own, other = (b"n6", b"n4") if self._ipv6 else (b"n4", b"n6")
        near = None
        if not want or own in want:
            near = b"".join([entry.compact for entry in self._table.closest(target, BUCKET)])
        far = self.other_family(target, BUCKET) if other in want else None
        return (far, near) if self._ipv6 else (near, far)

    def _peers(self, transaction: bytes, ask: GetPeers, address: Address, now: float) -> Reply:
        store = self.peers
        is_welcome = store.has_room(ask.info_hash, address)
        filters = store.filters(ask.info_hash, now) if ask.scrape else None
        four, six = self._nodes(ask.info_hash, ask.want)
        return Reply(
            transaction,
            self._id,
            four,
            six,
            token=self._tokens.token_for(address.host, now) if is_welcome else None,
            values=tuple(store.some(ask.info_hash, MAX_VALUES, now, no_seeds=ask.no_seeds)),
            seeds=bytes(filters[0]) if filters else None,
            peers=bytes(filters[1]) if filters else None,
            external=address,
        )

    def _announce(self, transaction: bytes, ask: AnnouncePeer, address: Address, now: float) -> Reply | Refusal:
        if not self._tokens.is_valid(ask.token, address.host, now):
            return Refusal(transaction, PROTOCOL, "the token is wrong or old", address)
        peer = address if ask.implied_port else Address(address.host, ask.port)
        if not self.peers.add(ask.info_hash, peer, now, seed=ask.seed):
            return Refusal(transaction, SERVER, _TEXTS[SERVER], address)
        return Reply(transaction, self._id, external=address)

    def _item(self, transaction: bytes, ask: GetItem, address: Address, now: float) -> Reply:
        four, six = self._nodes(ask.target, ask.want)
        token = self._tokens.token_for(address.host, now)
        reply = Reply(transaction, self._id, four, six, token, external=address)
        item = self.items.get(ask.target, now)
        if item is None:
            return reply
        if item.key is None:
            return replace(reply, value=item.value)
        if ask.seq is not None and item.seq <= ask.seq:
            return replace(reply, seq=item.seq)
        return replace(reply, value=item.value, key=item.key, seq=item.seq, signature=item.signature)

    def _put(self, transaction: bytes, ask: PutItem, address: Address, now: float) -> Reply | Refusal:
        if not self._tokens.is_valid(ask.token, address.host, now):
            return Refusal(transaction, PROTOCOL, "the token is wrong or old", address)
        code = self.items.put(ask, owner_of(address), now)
        if code:
            return Refusal(transaction, code, _TEXTS[code], address)
        return Reply(transaction, self._id, external=address)

    def _sample(self, transaction: bytes, ask: SampleInfohashes, address: Address, now: float) -> Reply:
        samples, interval = self.peers.sample(now)
        four, six = self._nodes(ask.target, ask.want)
        return Reply(
            transaction,
            self._id,
            four,
            six,
            samples=samples,
            interval=max(0, int(interval)),
            count=len(self.peers),
            external=address,
        )


def fit(answer: Reply | Refusal, allowance: float) -> tuple[bytes, bool]:
    """The datagram of an answer in at most `allowance` bytes, and whether nothing but nodes and peers is missing.

    What is left out first is what others can tell as well.
    """
    data = answer.encode()
    if isinstance(answer, Refusal):
        return (data if len(data) <= allowance else replace(answer, text="", external=None).encode()), True
    limit = min(allowance, MAX_REPLY if answer.value is None else MAX_ITEM_REPLY)
    if len(data) <= limit:
        return data, True
    if allowance == inf:  # filters and nodes of both families, a large item
        answer = _fewer(answer, len(data) - limit)
        return answer.encode(), True
    lighter = replace(answer, version=b"")
    over = len(lighter.encode()) - limit
    if over > 0 and (answer.value or answer.samples or answer.seeds):
        bare = replace(lighter, value=None, key=None, signature=None, seeds=None, peers=None)
        bare = replace(bare, samples=None if answer.samples is None else b"")
        return _fewer(bare, len(bare.encode()) - limit).encode(), False
    return _fewer(lighter, over).encode(), True


def _fewer(reply: Reply, over: float) -> Reply:
    """`reply` with so few peers, and then nodes, that it is `over` bytes shorter; if possible some of each stay."""
    for least_values, least_nodes in ((_LEAST_VALUES, _LEAST_NODES), (0, 0)):
        if over > 0 and reply.values:
            each = len(reply.values[0]) + 2  # with its length before it
            kept = _kept(len(reply.values), each, over, least=least_values)
            over -= (len(reply.values) - kept) * each
            reply = replace(reply, values=reply.values[:kept])
        if over > 0 and reply.nodes6:
            kept = _kept(len(reply.nodes6) // 38, 38, over, least=least_nodes)
            over -= len(reply.nodes6) - kept * 38
            reply = replace(reply, nodes6=reply.nodes6[: kept * 38])
        if over > 0 and reply.nodes:
            kept = _kept(len(reply.nodes) // 26, 26, over, least=least_nodes)
            over -= len(reply.nodes) - kept * 26
            reply = replace(reply, nodes=reply.nodes[: kept * 26])
    return reply


def _kept(count: int, size: int, over: float, *, least: int) -> int:
    """How many of `count` things of `size` bytes stay when `over` bytes are too many."""
    return max(min(count, least), count - ceil(over / size))
