"""Where benches leave their results: a Markdown table to read and the same figures as JSON."""

import importlib.metadata
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bittern.version import __version__

RESULTS = Path(__file__).parent / "results"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "--:|" * (len(columns) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def save(name: str, title: str, tables: Mapping[str, str], figures: Sequence[Mapping[str, Any]]) -> None:
    """Print the tables, and write NAME-DATE.md and NAME-DATE.json into bench/results."""
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "bittern": __version__,
        "libtorrent": importlib.metadata.version("libtorrent"),
        **machine.describe(),
    }
    text = f"# {title}\n\n" + "; ".join(f"{key}: {value}" for key, value in about.items()) + "\n"
    for heading, table in tables.items():
        text += f"\n## {heading}\n\n{table}"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{about['date']}"
    path.with_suffix(".md").write_text(text)
    path.with_suffix(".json").write_text(json.dumps({"about": about, "runs": list(figures)}, indent=1) + "\n")
