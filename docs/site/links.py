"""Links of a page of the repository, as they must be on the site."""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
TEXTS = {".py": "python", ".toml": "toml", ".json": "json", ".sh": "sh", ".txt": "text", "": "text"}
"""What files other than pages and pictures are shown as."""

_OUTSIDE = re.compile(r"[a-z]+:|//|#")
_LINK = re.compile(r"(?P<code>(?P<ticks>`+).+?(?P=ticks))|\]\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")


class DeadLinkError(Exception):
    """A page leads nowhere."""


def place(path: PurePosixPath) -> PurePosixPath:
    """Where on the site a file or folder of the repository is, both relative to their roots."""
    if path == PurePosixPath():
        raise DeadLinkError("leads to the whole repository")
    if (ROOT / path).is_dir():
        path /= "README.md"
    inside = path.relative_to("docs") if path.parts[0] == "docs" else PurePosixPath("project") / path
    if inside.suffix == ".ipynb":
        return inside.with_suffix(".md")
    return inside.with_name(f"{inside.name}.md") if inside.suffix in TEXTS else inside


def prose(text: str) -> Iterator[tuple[bool, str]]:
    """The lines of a page with their ends, and whether each stands outside of fenced blocks."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and not fence:
            fence = mark[1]
            yield False, line
        elif fence:
            yield False, line
            fence = "" if line.strip() == fence else fence
        else:
            yield True, line


def relinked(text: str, source: PurePosixPath, code: Callable[[str], str]) -> tuple[str, set[PurePosixPath]]:
    """A page with the links of the site, and the files and folders of the repository that they lead to.

    Args:
        text: the page.
        source: its path in the repository.
        code: what stands in place of a piece of code in a line, ticks included.

    Raises:
        DeadLinkError: a link leads to nothing; all of them are named.
    """
    found: set[PurePosixPath] = set()
    dead: list[str] = []
    here = place(source).parent

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            line, before = match.string, match.start() - 1
            alone = not line.startswith("#") and (before < 0 or line[before] != "[")
            return code(match["code"]) if alone else match["code"]
        target, anchor = match["target"], match["anchor"] or ""
        if not target or _OUTSIDE.match(target):
            return match[0]
        path = PurePosixPath(posixpath.normpath(source.parent / target))
        if path.parts[:1] == ("..",) or not (ROOT / path).exists():
            dead.append(target)
            return match[0]
        found.add(path)
        return f"]({posixpath.relpath(place(path), here)}{anchor})"

    lines = [_LINK.sub(replace, line) if outside else line for outside, line in prose(text)]
    if dead:
        raise DeadLinkError(f"{source}: leads nowhere: {', '.join(dead)}")
    return "".join(lines), found
