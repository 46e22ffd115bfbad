"""The machine's own limit: hash every piece of a file with hashlib in threads, and do nothing else.

python hash_limit.py v1|v2|hybrid FILE PIECE_SIZE THREADS
"""

import hashlib
import os
import sys
import threading
from pathlib import Path

LEAF = 16384


def tree(data: memoryview) -> bytes:
    """The merkle root of a whole piece (BEP 52)."""
    sha256 = hashlib.sha256
    row = [sha256(data[at : at + LEAF]).digest() for at in range(0, len(data), LEAF)]
    while len(row) > 1:
        row = [sha256(row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


def work(kind: str, path: str, piece_size: int, numbers: range) -> None:
    """Hash the pieces `numbers`."""
    descriptor = os.open(path, os.O_RDONLY)
    view = memoryview(bytearray(piece_size))
    for number in numbers:
        os.preadv(descriptor, [view], number * piece_size)
        if kind != "v2":
            hashlib.sha1(view).digest()
        if kind != "v1":
            tree(view)
    os.close(descriptor)


def main() -> None:
    """Hash the file."""
    kind, path, piece_size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    pieces = Path(path).stat().st_size // piece_size
    threads = [
        threading.Thread(target=work, args=(kind, path, piece_size, range(first, pieces, count)))
        for first in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
