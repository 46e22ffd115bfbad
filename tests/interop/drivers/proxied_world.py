"""A tracker, nodes of the DHT, a seed, and a web server that has the content and its torrents, on one address.

    python proxied_world.py HOST IPV6_HOST FOLDER

The seed is at IPV6_HOST as well. FOLDER has `content.bin`. It says one line of JSON when everything is there, and
ends with its input.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from bittern.base.address import Address
from bittern.codec.metainfo import Metainfo
from bittern.io.dht import Table
from bittern.io.tracker.listening import Places
from bittern.io.tracker.service import TrackerService
from bittern.io.udp import bind
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import scan
from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings

NODES = 8


def torrent(
    folder: Path, name: str, trackers: list[str], web_seeds: list[str], router: tuple[str, int] | None
) -> Metainfo:
    """A .torrent file; it names a node of the DHT, too."""
    made = create(
        scan(folder / "content.bin"),
        CreateOptions(
            version=Version.V1,
            piece_size=32768,
            trackers=tuple((url,) for url in trackers),
            web_seeds=tuple(web_seeds),
            nodes=(router,) if router is not None else (),
        ),
    )
    (folder / name).write_bytes(made.data)
    return made.metainfo


async def main() -> None:
    """Until the end of the input."""
    host, host6, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    async with AsyncExitStack() as stack:
        place = Places((host,), http_port=0, udp_port=0)
        tracker = await stack.enter_async_context(TrackerService(TrackerSettings(), Policy(), place))
        tables = [Table([bind(host, 0)], reply_rate=1e6) for _ in range(NODES)]
        for table in tables:
            stack.callback(table.close)
        router = Address(host, tables[0].ports[False])
        for table in tables[1:]:
            table.add_router(router)
            await table.ready()
        runner = web.AppRunner(app := web.Application())
        app.router.add_static("/", folder)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, host, 0)
        await site.start()
        web_port = runner.addresses[0][1]
        http, udp = (url.rpartition(":")[2].removesuffix("/announce") for url in tracker.urls)
        named = {"http": f"http://tracker.test:{http}/announce", "udp": f"udp://tracker.test:{udp}/announce"}
        own = [url for url in tracker.urls if url.startswith("http")]
        seed = torrent(folder, "seed.torrent", own, [], None)
        seed_url = f"http://web.test:{web_port}/content.bin"
        torrent(folder, "bare.torrent", [], [], None)
        torrent(folder, "all.torrent", list(named.values()), [seed_url], ("router.test", router.port))
        for name, url in named.items():
            torrent(folder, f"{name}.torrent", [url], [], None)
        torrent(folder, "web.torrent", [], [seed_url], None)
        settings = Settings(
            listen=(host, host6),
            port=0,
            dht=True,
            dht_routers=(str(router),),
            state_dir=folder / "seed-state",
            max_per_network=500,
            max_peers=500,
            use_lsd=False,
        )
        session = await stack.enter_async_context(Session(settings))
        sharing = await session.add(seed, content=folder / "content.bin", trust=True)
        await sharing.checked()
        while not any(table.nodes[0].stored[0] for table in tables):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        said = {"seed": session.port, "web": web_port, "router": router.port, "hash": str(sharing.info_hash), **named}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
