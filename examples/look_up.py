"""Who shares a torrent, as the DHT knows, without joining it: python examples/look_up.py INFO_HASH [HOST:PORT ...]."""

import sys

import bittern

info_hash, *nodes = sys.argv[1:]
settings = bittern.Settings(dht=True, dht_routers=tuple(nodes) or bittern.dht.ROUTERS)
with bittern.sync.Session(settings) as session:
    found = session.dht.lookup(info_hash)
    for peer in found.peers:
        print(peer)
    print(f"{found.answered} of {found.asked} nodes answered", file=sys.stderr)
