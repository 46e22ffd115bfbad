"""Make a torrent with libtorrent.

python libtorrent_create.py v1|v2|hybrid FILE PIECE_SIZE OUT
"""

import sys
from pathlib import Path

import libtorrent as lt

FLAGS = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}


def main() -> None:
    """Make it."""
    kind, path, piece_size, out = sys.argv[1:]
    storage = lt.file_storage()
    lt.add_files(storage, path)
    torrent = lt.create_torrent(storage, int(piece_size), FLAGS[kind])
    lt.set_piece_hashes(torrent, str(Path(path).parent))
    Path(out).write_bytes(lt.bencode(torrent.generate()))


if __name__ == "__main__":
    main()
