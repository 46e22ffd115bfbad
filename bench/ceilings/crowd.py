"""Many peers of one torrent that only stay, from a process of their own.

    python -m bench.ceilings.crowd PORT INFO_HASH COUNT

It says `ready` when all have handshaken. For each line that it is told it says how many are still connected; the end of
its input ends it.
"""

import resource
import sys
from contextlib import ExitStack

from bench.idle_peers import connect, is_open


def main() -> None:
    """The command line."""
    port, info_hash, count = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(number, port, info_hash)) for number in range(count)]
        print("ready", flush=True)
        for _ in sys.stdin:
            print(sum(map(is_open, sockets)), flush=True)


if __name__ == "__main__":
    main()
