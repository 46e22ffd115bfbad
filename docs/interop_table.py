"""Writes README's interop table from the facts of a test run.

    python docs/interop_table.py [--facts build/interop.json] [README.md]

`make test` writes the facts. The table stands between the two comments `<!-- interop -->` and
`<!-- /interop -->`; with no README it is printed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TypedDict

BEGIN, END = "<!-- interop -->\n", "<!-- /interop -->"


class Fact(TypedDict):
    """One transfer with bittern; `role` is the partner's."""

    client: str
    version: str
    role: str
    torrent: str
    passed: bool


def table(facts: list[Fact]) -> str:
    """One row a client, one column a kind of torrent: who sent to whom."""
    clients = sorted({(fact["client"], fact["version"]) for fact in facts})
    torrents = sorted({fact["torrent"] for fact in facts})
    lines = [
        "| client | " + " | ".join(torrents) + " |",
        "|---|" + "---|" * len(torrents),
    ]
    for client, version in clients:
        cells = [_cell([f for f in facts if f["client"] == client and f["torrent"] == kind]) for kind in torrents]
        lines.append(f"| {client} {version} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(facts: list[Fact]) -> str:
    """What worked: `from`, bittern downloaded from it; `to`, it downloaded from bittern."""
    words = {"seed": "from", "leecher": "to"}
    parts = []
    for role, word in words.items():
        results = [fact["passed"] for fact in facts if fact["role"] == role]
        if results:
            parts.append(word if all(results) else f"~~{word}~~")
    return ", ".join(parts)


def replaced(text: str, new: str) -> str:
    """`text` with `new` between the comments; raises ValueError when they are missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN.strip()} ... {END} to write between")
    return head + begin + new + end + tail


def main() -> None:
    """Read the facts, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("readme", nargs="?", type=Path)
    parser.add_argument("--facts", type=Path, default=Path("build/interop.json"))
    args = parser.parse_args()
    new = table(json.loads(args.facts.read_text()))
    if args.readme is None:
        sys.stdout.write(new)
    else:
        args.readme.write_text(replaced(args.readme.read_text(), new))


if __name__ == "__main__":
    main()
