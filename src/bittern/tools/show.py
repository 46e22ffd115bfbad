"""What a torrent or magnet link says, as the documents that the command line and others print."""

from typing import Any

from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import File, Info, Metainfo


def document(source: Metainfo | Magnet) -> dict[str, Any]:
    """The document of `bittern info --json`; what a magnet link does not say is None or empty.

    Keys: name, info_hash_v1, info_hash_v2 (hexadecimal or None), piece_length, total_size (bytes, no pads),
    private, files (path, size, pad, executable, hidden, symlink), trackers (tiers), web_seeds, nodes
    ("host:port"), comment, created_by, creation_date (seconds since 1970), source, magnet; of a link also peers
    ("host:port"), exact_sources, select_only (numbers of files from 0, pads count).
    """
    return _of_magnet(source) if isinstance(source, Magnet) else _of_torrent(source)


def _of_torrent(metainfo: Metainfo) -> dict[str, Any]:
    info = metainfo.info
    return {
        "name": info.name,
        "info_hash_v1": _hex(info.info_hash_v1),
        "info_hash_v2": _hex(info.info_hash_v2),
        "piece_length": info.piece_size,
        "total_size": info.total_size,
        "private": info.private,
        "files": [_file(file) for file in listed_files(info)],
        "trackers": [list(tier) for tier in metainfo.trackers],
        "web_seeds": list(metainfo.web_seeds),
        "nodes": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in metainfo.nodes],
        "comment": metainfo.comment,
        "created_by": metainfo.created_by,
        "creation_date": metainfo.creation_date,
        "source": info.source,
        "magnet": metainfo.to_magnet().to_uri(),
        "peers": [],
        "exact_sources": [],
        "select_only": [],
    }


def _of_magnet(magnet: Magnet) -> dict[str, Any]:
    return {
        "name": magnet.name,
        "info_hash_v1": _hex(magnet.info_hash_v1),
        "info_hash_v2": _hex(magnet.info_hash_v2),
        "piece_length": None,
        "total_size": magnet.exact_length,
        "private": None,
        "files": [],
        "trackers": [[url] for url in magnet.trackers],
        "web_seeds": list(magnet.web_seeds),
        "nodes": [],
        "comment": None,
        "created_by": None,
        "creation_date": None,
        "source": None,
        "magnet": magnet.to_uri(),
        "peers": list(magnet.peers),
        "exact_sources": list(magnet.exact_sources),
        "select_only": list(magnet.select_only),
    }


def listed_files(info: Info) -> tuple[File, ...]:
    """The files that the torrent itself lists: gaps of a v2-only torrent are no pad files."""
    if info.info_hash_v1 is None:
        return tuple(file for file in info.files if not file.pad)
    return info.files


def numbered_files(info: Info) -> list[tuple[int, File]]:
    """The files that users see and select by number, from 1; pads have none."""
    return list(enumerate((file for file in info.files if not file.pad), 1))


def _file(file: File) -> dict[str, Any]:
    return {
        "path": "/".join(file.path),
        "size": file.length,
        "pad": file.pad,
        "executable": file.executable,
        "hidden": file.hidden,
        "symlink": None if file.symlink is None else "/".join(file.symlink),
    }


def _hex(info_hash: bytes | None) -> str | None:
    return None if info_hash is None else info_hash.hex()
