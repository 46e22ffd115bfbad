"""Writes the table of docs/hostile-peers.md that has a row for everything that tests do to a running session.

    python -m docs.misdeeds_table

It stands between the two comments `<!-- misdeeds -->` and `<!-- /misdeeds -->`.
"""

from pathlib import Path

from docs.interop_table import replaced
from tests.faults.misdeeds import MISDEEDS
from tests.faults.rigs.misdeed import Against, Fate, Misdeed

NAME = "misdeeds"
PAGE = Path(__file__).parent / "hostile-peers.md"
WORDS = {
    Against.SEED: "a seed",
    Against.LEECH: "a download",
    Against.LINK: "a link",
    Against.TREE: "a seed of version 2",
}


def table() -> str:
    """All rows, by their kinds."""
    lines = ["| kind | what is done | to | who does it is |", "|---|---|---|---|"]
    for kind, misdeeds in MISDEEDS.items():
        lines += [f"| {kind} | {row(misdeed)} |" for misdeed in misdeeds]
    return "\n".join(lines) + "\n"


def row(misdeed: Misdeed) -> str:
    """What it is, to whom it is done, and what comes of it."""
    whom = ", ".join(WORDS[against] for against in misdeed.against)
    fate = misdeed.fate.value
    told = f'{fate}: "{misdeed.says}"' if misdeed.fate is Fate.DROPPED and misdeed.says else fate
    return f"{misdeed.what} | {whom} | {told}"


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text(), table(), NAME))
