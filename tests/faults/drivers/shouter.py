"""Announces in a local network (BEP 14) without end, in the name of many of its hosts.

python shouter.py INFO_HASH SECONDS HOST...

It says how many announces it made, each with another port of its host, on none of which anybody listens.
"""

import socket
import sys
import time
from itertools import count, cycle

from bittern.base.ids import InfoHashV1
from bittern.wire.lsd import GROUP_V4, LocalAnnounce

RESTS_SECONDS = 0.0005


def main(info_hash: str, seconds: str, *hosts: str) -> None:
    """Shout."""
    socks = []
    for host in hosts:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
        socks.append(sock)
    said, end = 0, time.monotonic() + float(seconds)
    for number, sock in zip(count(), cycle(socks), strict=False):
        announce = LocalAnnounce(10_000 + number % 50_000, (InfoHashV1.from_hex(info_hash),), f"{number:x}")
        sock.sendto(announce.encode(GROUP_V4), GROUP_V4)
        said += 1
        time.sleep(RESTS_SECONDS)
        if time.monotonic() > end:
            break
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
