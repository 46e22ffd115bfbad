"""Writes README's interop tables from the facts of a test run.

    python docs/interop_table.py [--facts build/interop.json build/ways.json --] [README.md]

`make test` writes the facts. One table has a column for each kind of torrent, and stands between the two comments
`<!-- interop -->` and `<!-- /interop -->`; the other has one for each way to be connected, between `<!-- ways -->` and
`<!-- /ways -->`. With no README they are printed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NotRequired, TypedDict

TORRENTS, WAYS = "interop", "ways"


class Fact(TypedDict):
    """One transfer with bittern; `role` is the partner's."""

    client: str
    version: str
    role: str
    torrent: str
    passed: bool
    way: NotRequired[str]


def table(facts: list[Fact]) -> str:
    """One row a client, one column a kind of torrent: who sent to whom."""
    return _rows([(fact["torrent"], fact) for fact in facts if not fact.get("way")])


def ways_table(facts: list[Fact]) -> str:
    """One row a client, one column a way to be connected: transport, encryption, family of addresses."""
    return _rows([(way, fact) for fact in facts if (way := fact.get("way"))])


def _rows(facts: list[tuple[str, Fact]]) -> str:
    """One row a client, one column for each of the words that go with the facts."""
    clients = sorted({(fact["client"], fact["version"]) for _, fact in facts})
    columns = sorted({column for column, _ in facts})
    lines = [
        "| client | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for client, version in clients:
        cells = [_cell([f for word, f in facts if f["client"] == client and word == column]) for column in columns]
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


def replaced(text: str, new: str, name: str = TORRENTS) -> str:
    """`text` with `new` between the comments of this name; raises ValueError when they are missing."""
    head, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise ValueError(f"no <!-- {name} --> ... <!-- /{name} --> to write between")
    return head + begin + new + end + tail


def main() -> None:
    """Read the facts, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("readme", nargs="?", type=Path)
    default = [Path("build/interop.json"), Path("build/ways.json")]
    parser.add_argument("--facts", type=Path, nargs="+", default=default)
    args = parser.parse_args()
    facts = [fact for path in args.facts for fact in json.loads(path.read_text())]
    tables = {TORRENTS: table(facts), WAYS: ways_table(facts)}
    if args.readme is None:
        sys.stdout.write("\n".join(tables.values()))
        return
    for name, new in tables.items():
        args.readme.write_text(replaced(args.readme.read_text(), new, name))


if __name__ == "__main__":
    main()
