"""Some of our nodes of the distributed hash table in one process, for tests beside nodes of others.

    python dht_nodes.py HOST COUNT [ROUTER_PORT ...]

The first listens where the others begin, and all begin at the routers, too. It says `ready PORT ...`. Each line of the
input is done by the last node and answered with a line: `find HASH` (peers), `announce HASH PORT` (how many stored it),
`met PORT` (how many of ours have the node there in their tables), `stored` (torrents that others announced to each).
"""

import asyncio
import sys

from bittern.base.address import Address
from bittern.io.dht import Table
from bittern.io.udp import bind
from bittern.wire.krpc import AnnouncePeer


def say(*words: object) -> None:
    """One line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def obey(tables: list[Table], line: str) -> str:
    """Do what a line says."""
    word, *arguments = line.split()
    if word == "find":
        found: list[Address] = []
        await tables[-1].find_peers(bytes.fromhex(arguments[0]), found.extend)
        return " ".join(map(str, found))
    if word == "announce":
        info_hash, port = bytes.fromhex(arguments[0]), int(arguments[1])
        announce = AnnouncePeer(info_hash, port, b"")
        return str((await tables[-1].find_peers(info_hash, lambda _: None, announce=announce)).stored)
    if word == "met":
        port = int(arguments[0])
        return str(sum(any(e.contact.address.port == port for e in table.nodes[0].table) for table in tables))
    return " ".join(str(table.nodes[0].stored[0]) for table in tables)


async def main() -> None:
    """Until the end of the input."""
    host, count, routers = sys.argv[1], int(sys.argv[2]), [Address(sys.argv[1], int(port)) for port in sys.argv[3:]]
    tables = [Table([bind(host, 0)], seed=number) for number in range(count)]
    ports = [table.ports[False] for table in tables]
    for table in tables:
        for router in (*routers, *([Address(host, ports[0])] if table is not tables[0] else [])):
            table.add_router(router)
    for table in tables[1:]:
        await table.ready()
    say("ready", *ports)
    while line := await asyncio.to_thread(sys.stdin.readline):
        say("did", await obey(tables, line))
    for table in tables:
        table.close()


if __name__ == "__main__":
    asyncio.run(main())
