"""Which symbolic links of a torrent can be made, and what each of them says (BEP 47); nothing is touched here."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .layout import File

NOT_LISTED = "its target is not in the torrent"
NOT_THERE = "its target is not among the files that are there"
LOOP = "it makes a loop of links"
ELSEWHERE = "it, or its target, is not in the torrent's folder"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link that can be made.

    Attributes:
        number: among all files of the torrent.
        text: what it says: the target relative to the folder of the link, never out of the torrent's root.
    """

    number: int
    text: str


def plan_links(
    files: Sequence[File], places: Sequence[str], wanted: Collection[int] | None = None
) -> tuple[list[Link], dict[int, str]]:
    """The links of `files` that can be made, and why the others cannot, by their numbers.

    A target is a file, folder or link of the torrent, by the name that the torrent has for it. Names are safe
    already (see `safe_path`), so one that would lead out of the root is none of the torrent's. What is made with few
    files wanted is made, and says the same, with more.

    Args:
        files: of the torrent.
        places: where each is below the root, its components joined by `/`; empty for one that is not below it.
        wanted: numbers of the files that are there, and of the links that may be made; None for all.
    """
    listed = {"/".join(file.path): number for number, file in enumerate(files) if not file.pad}
    folders = {folder for number in listed.values() for folder in _folders(places[number])}
    refused: dict[int, str] = {}
    targets: dict[int, str] = {}
    for number in listed.values():
        if (name := files[number].symlink) is not None:
            target = "/".join(name)
            place = places[listed[target]] if target in listed else target
            if not place or not places[number]:
                refused[number] = ELSEWHERE
            elif target in listed or target in folders:
                targets[number] = place
            else:
                refused[number] = NOT_LISTED
    looping = _looping(_ways({places[number]: target for number, target in targets.items()}))
    for number in list(targets):
        if places[number] in looping:
            refused[number] = LOOP
            del targets[number]
    there = {number for number in listed.values() if files[number].symlink is None}
    if wanted is not None:
        there.intersection_update(wanted)
        targets = {number: target for number, target in targets.items() if number in wanted}
        refused = {number: reason for number, reason in refused.items() if number in wanted}
    made = _made(places, there, targets)
    refused |= dict.fromkeys(targets.keys() - made, NOT_THERE)
    return [Link(number, _relative(places[number], targets[number])) for number in sorted(made)], refused


def _made(places: Sequence[str], there: Iterable[int], targets: Mapping[int, str]) -> set[int]:
    """Those of the links in `targets` that lead to something, maybe over other links that do."""
    waiting: dict[str, list[int]] = defaultdict(list)
    for number, target in targets.items():
        waiting[target].append(number)
    made: set[int] = set()
    seen: set[str] = set()
    fresh = [places[number] for number in there]
    while fresh:
        place = fresh.pop()
        while place and place not in seen:
            seen.add(place)
            for number in waiting.get(place, ()):
                made.add(number)
                fresh.append(places[number])
            place = place.rpartition("/")[0]
    return made


def _ways(links: Mapping[str, str]) -> dict[str, set[str]]:
    """Where one comes from each link, and from each folder with links below it, in one step."""
    ways: dict[str, set[str]] = defaultdict(set)
    for place, target in links.items():
        ways[place].add(target)
        below = place
        for folder in _folders(place):
            ways[folder].add(below)
            below = folder
    return ways


def _looping(after: Mapping[str, set[str]]) -> set[str]:
    """What is on a loop, or on the way from one to another."""
    before: dict[str, set[str]] = defaultdict(set)
    for one, others in after.items():
        for other in others:
            before[other].add(one)
    left = {*after, *before}
    for ways, back in ((after, before), (before, after)):  # without a way out, and then without a way in: on no loop
        count = {one: len(left.intersection(ways.get(one, ()))) for one in left}
        loose = [one for one in left if not count[one]]
        left.difference_update(loose)
        while loose:
            for other in back.get(loose.pop(), ()):
                if other in left:
                    count[other] -= 1
                    if not count[other]:
                        left.remove(other)
                        loose.append(other)
    return left


def _folders(place: str) -> Iterator[str]:
    """The folders that hold `place`, the innermost first, without the root."""
    while place := place.rpartition("/")[0]:
        yield place


def _relative(place: str, target: str) -> str:
    """`target` as seen from the folder that holds `place`."""
    here, there = place.split("/")[:-1], target.split("/")
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return "/".join([".."] * (len(here) - shared) + there[shared:])
