"""The order of the pages, as docs/README.md has it."""

import posixpath
import re
from pathlib import Path, PurePosixPath

_HEADING = re.compile(r"## (.+)")
_ENTRY = re.compile(r"(?:[-*\d.]+ |\|.*?)\[[^]]*\]\(([^):#\s]+\.md)\)")

Entry = str | dict[str, list["Entry"]]


class LostPageError(Exception):
    """A page that no index leads to."""


def navigation(folder: Path, pages: list[PurePosixPath]) -> list[Entry]:
    """Sections and pages for the generator: each `##` heading of the index is a section.

    A page that is the README.md of a folder is followed by the pages that it lists.

    Raises:
        LostPageError: a page below docs/ is in no list.
    """
    entries: list[Entry] = ["README.md"]
    section: list[Entry] = entries
    seen = {PurePosixPath("README.md")}
    for line in (folder / "README.md").read_text("utf-8").splitlines():
        if heading := _HEADING.match(line):
            section = []
            entries.append({heading[1]: section})
        elif entry := _ENTRY.match(line):
            section += _with_children(folder, PurePosixPath(entry[1]), seen)
    lost = [str(page) for page in pages if page not in seen and page.parts[0] != "project"]
    if lost:
        raise LostPageError(f"no list leads to {', '.join(lost)}: add them to docs/README.md, or that of their folder")
    return [_flat(each) for each in entries if isinstance(each, str) or any(each.values())]


def _flat(entry: Entry) -> Entry:
    """A section that has nothing but one folder is that folder."""
    if isinstance(entry, str):
        return entry
    ((title, inside),) = entry.items()
    only = inside[0] if len(inside) == 1 else None
    return {title: next(iter(only.values()))} if isinstance(only, dict) else entry


def _with_children(folder: Path, page: PurePosixPath, seen: set[PurePosixPath]) -> list[Entry]:
    seen.add(page)
    if page.name != "README.md" or page.parent == PurePosixPath():
        return [str(page)]
    text = (folder / page).read_text("utf-8")
    title = re.search(r"^# (.+)", text, re.MULTILINE)
    listed = [entry[1] for line in text.splitlines() if (entry := _ENTRY.match(line))]
    found = [PurePosixPath(posixpath.normpath(page.parent / each)) for each in listed]
    children = [each for each in dict.fromkeys(found) if each.parent == page.parent and each != page]
    seen.update(children)
    return [{title[1] if title else page.parent.name: [str(page), *map(str, children)]}]


def as_toml(entries: list[Entry]) -> str:
    """The lines to append to the generator's file of settings."""
    lines = []
    for entry in entries:
        title, value = ("Start", entry) if isinstance(entry, str) else next(iter(entry.items()))
        lines += ["[[project.nav]]", f"{_quoted(title)} = {_toml(value)}", ""]
    return "\n".join(lines)


def _toml(value: Entry | list[Entry]) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return "[" + ", ".join(map(_toml, value)) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
