"""One host of a local network, driven by lines.

    python neighbour.py ADDRESS...

Says `ready N`, N being the networks it speaks in. A line with a number makes it announce that port; what it hears is
said as `heard HOST PORT`. The end of its standard input ends it.
"""

import asyncio
import sys

from bittern.base.ids import InfoHashV1
from bittern.engine.effects import AnnounceLocally
from bittern.io.multicast import Multicast
from bittern.io.route import DIRECT
from bittern.wire.lsd import LocalAnnounce

NAME = InfoHashV1(b"n" * 20)


def say(line: str) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Announce and hear until standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def heard(datagram: bytes, host: str) -> None:
        say(f"heard {host} {LocalAnnounce.parse(datagram).port}")

    def told() -> None:
        line = sys.stdin.readline()
        if line:
            multicast.announce(AnnounceLocally(LocalAnnounce(int(line), (NAME,))))
        else:
            ended.set()

    multicast = Multicast(loop, DIRECT, sys.argv[1:], heard)
    say(f"ready {multicast.networks}")
    loop.add_reader(sys.stdin, told)
    await ended.wait()
    loop.remove_reader(sys.stdin)
    multicast.close()


if __name__ == "__main__":
    asyncio.run(main())
