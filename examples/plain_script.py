"""Download without asyncio, and show how it goes: python examples/plain_script.py TORRENT FOLDER [HOST:PORT ...]."""

import sys

import bittern

source, folder, *peers = sys.argv[1:]
with bittern.sync.Session() as session:
    torrent = session.add(source, folder, peers=peers)
    for event in torrent.events(bittern.events.StateChanged, bittern.events.Completed):
        if isinstance(event, bittern.events.Completed):
            break
        print(event.state.value if isinstance(event, bittern.events.StateChanged) else event)
    print("complete:", torrent.path)
