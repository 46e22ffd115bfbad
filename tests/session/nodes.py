"""Nodes of a distributed hash table on 127.0.0.1, and sessions that begin with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bittern.base.address import Address
from bittern.io.dht import Table
from bittern.io.udp import bind
from bittern.session.settings import Settings

from .rig import settings


@asynccontextmanager
async def routers(count: int = 4) -> AsyncIterator[list[Table]]:
    """Nodes that know each other."""
    made = [Table([bind("127.0.0.1", 0)], reply_rate=1e6) for _ in range(count)]
    try:
        for table in made:
            for other in made:
                if other is not table:
                    table.meet(Address("127.0.0.1", other.ports[False]))
        for table in made:
            assert await table.ready(count - 1)
        yield made
    finally:
        for table in made:
            table.close()


def beginning_at(table: Table, state: Path, **changes: Any) -> Settings:
    """Settings of a session that begins with a node."""
    return settings(state, dht=True, dht_routers=(f"127.0.0.1:{table.ports[False]}",), **changes)


def stored(tables: list[Table]) -> set[bytes]:
    """Info hashes that somebody announced."""
    return {info_hash for table in tables for info_hash in table.nodes[0]._answers.peers._torrents}


async def announced(tables: list[Table]) -> None:
    """Until somebody has announced something."""
    async with asyncio.timeout(30):
        while not stored(tables):  # noqa: ASYNC110 - nodes tell nobody
            await asyncio.sleep(0.05)
