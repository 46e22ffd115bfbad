"""`bittern info`: what a torrent or magnet link says."""

from datetime import UTC, datetime
from typing import Any

from bittern.cli.arguments import Json
from bittern.cli.output import counted, format_size, print_json, printable, say
from bittern.cli.sources import read_source
from bittern.tools.show import document

_SHOWN_FILES = 20


def info(source: str, /, *, json: Json = False) -> None:
    """Show what a torrent or magnet link says.

    Parameters
    ----------
    source
        A .torrent file, a magnet link, or an info hash of 40 or 64 hexadecimal digits.
    json
        Print one JSON document.
    """
    found = document(read_source(source))
    if json:
        print_json(found)
        return
    rows = [(label, text) for label, text in _rows(found) if text]
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        say(f"{label.ljust(width)}  {printable(text, 4096)}")
    files = [file for file in found["files"] if not file["pad"]]
    for file in files[:_SHOWN_FILES]:
        say(f"  {format_size(file['size']):>10}  {printable(file['path'], 1024)}")
    if len(files) > _SHOWN_FILES:
        say(f"  and {len(files) - _SHOWN_FILES} more: see `bittern files`")


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    size, piece = found["total_size"], found["piece_length"]
    count = sum(not file["pad"] for file in found["files"])
    rows = [
        ("Name", found["name"] or "not known before the metadata is there"),
        ("Info hash v1", found["info_hash_v1"] or ""),
        ("Info hash v2", found["info_hash_v2"] or ""),
        ("Size", "" if size is None else f"{format_size(size)} ({size} bytes)"),
        ("Pieces", f"{format_size(piece)} each" if piece else ""),
        ("Private", "yes: peers come from the trackers alone" if found["private"] else ""),
        ("Source", found["source"] or ""),
        ("Comment", found["comment"] or ""),
        ("Created by", found["created_by"] or ""),
        ("Created", _date(found["creation_date"])),
    ]
    for tier, urls in enumerate(found["trackers"], 1):
        rows += [(f"Tracker {tier}", url) for url in urls]
    rows += [("Web seed", url) for url in found["web_seeds"]]
    rows += [("DHT node", node) for node in found["nodes"]]
    rows += [("Peer", peer) for peer in found["peers"]]
    rows += [("Torrent at", url) for url in found["exact_sources"]]
    rows.append(("Selects", counted(len(found["select_only"]), "file") if found["select_only"] else ""))
    rows.append(("Magnet", found["magnet"]))
    rows.append(("Files", str(count) if count else ""))
    return rows


def _date(seconds: int | None) -> str:
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds after 1970"
