"""Download and verify a torrent: python examples/download.py TORRENT|MAGNET|URL FOLDER [HOST:PORT ...]."""

import sys

import bittern

source, folder, *peers = sys.argv[1:]
path = bittern.download(source, folder, peers=tuple(peers))
print("complete:", path)
