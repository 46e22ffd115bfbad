"""What the session and the command line do alike with the distributed hash table: begin, and sign the next version."""

from bittern.base.errors import BitternError, SessionError
from bittern.engine.dht.items import Item, signed_bytes, target_of
from bittern.io.dht import Table
from bittern.io.ed25519 import public_key, sign
from bittern.io.proxying import Purpose
from bittern.io.route import Route
from bittern.wire.krpc import MAX_SEQ

from .sources import find_peer


async def begin_at(table: Table, router: str, route: Route) -> BitternError | None:
    """Let a table begin with the node at `HOST:PORT`; why that is not possible, or None."""
    try:
        for address in await find_peer(router, route, Purpose.DHT):
            table.add_router(address)
    except BitternError as error:
        return error
    return None


async def version_of(
    raw: bytes, secret: bytes, salt: bytes, seq: int | None, cas: int | None, table: Table
) -> tuple[Item, int | None]:
    """The signed item that is to be stored, and the number of the version that it may replace; see `Dht.put_mutable`.

    Raises:
        SessionError: the package `cryptography` is not there; or the version with the highest number is stored.
    """
    key = public_key(secret)
    if seq is None:
        there = await table.get(target_of(key, salt), salt=salt)
        seq = there.seq + 1 if there is not None else 1
        cas = there.seq if there is not None and cas is None else cas
        if seq > MAX_SEQ:
            raise SessionError("the version with the highest number is stored: nothing can replace it")
    signature = sign(secret, signed_bytes(raw, seq, salt))
    return Item(raw, key, salt, seq, signature), cas
