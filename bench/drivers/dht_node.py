"""One node of the distributed hash table, for bench/dht.py: bittern's, or that of an idle libtorrent session.

    python dht_node.py bittern|libtorrent HOST PORT ROUTER_HOST:PORT

What they may answer is not limited for all askers together; what one asker may have is, as ever. It says `ready`
and ends with its input.
"""

import asyncio
import sys
from math import inf

from bittern.base.address import Address
from bittern.io.dht import Table
from bittern.io.udp import bind


def run_libtorrent(host: str, port: int, router: Address) -> None:
    """Until the end of the input."""
    import libtorrent as lt  # noqa: PLC0415 - not to be counted as bittern's memory

    settings: lt.settings_pack = {
        "listen_interfaces": f"{host}:{port}",
        "enable_dht": True,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "dht_bootstrap_nodes": "",
        "dht_upload_rate_limit": 1 << 30,
        "alert_mask": 0,
    }
    session = lt.session(settings)
    session.add_dht_node(router)
    print("ready", flush=True)
    sys.stdin.read()
    del session


async def run_bittern(host: str, port: int, router: Address) -> None:
    """Until the end of the input."""
    table = Table([bind(host, port)], reply_rate=inf)
    table.add_router(router)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    table.close()


def main() -> None:
    """The command line."""
    client, host, port, router = sys.argv[1], sys.argv[2], int(sys.argv[3]), Address.parse(sys.argv[4])
    if client == "libtorrent":
        run_libtorrent(host, port, router)
    else:
        asyncio.run(run_bittern(host, port, router))


if __name__ == "__main__":
    main()
