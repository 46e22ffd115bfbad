"""Which links of a torrent are made: none leads out of its root, to nothing, or in a circle."""

from posixpath import dirname, join, normpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import MetainfoError
from bittern.codec.layout import Entry, File, place
from bittern.codec.links import ELSEWHERE, LOOP, NOT_LISTED, NOT_THERE, plan_links

NAMES = st.sampled_from([b"a", b"b", b"c", b"..", b".", b"", b"/", b"a/../..", b"/etc"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(tuple)
ENTRIES = st.lists(
    st.tuples(PATHS, st.just(()) | PATHS).map(
        lambda drawn: Entry((drawn[0],), 0 if drawn[1] else 1, b"l" if drawn[1] else b"", drawn[1], None)
    ),
    max_size=10,
)


def files(**links: str | None) -> tuple[File, ...]:
    """Files, and links with their targets; `__` in a name is a `/`."""
    return tuple(
        File(tuple(name.split("__")), 0, 0, symlink=None if target is None else tuple(target.split("/")))
        for name, target in links.items()
    )


def places(listed: tuple[File, ...]) -> list[str]:
    return ["/".join(file.path) for file in listed]


def texts(listed: tuple[File, ...], *wanted: int) -> dict[str, str]:
    """What is made, and what each says."""
    made, _ = plan_links(listed, places(listed), wanted or None)
    return {places(listed)[link.number]: link.text for link in made}


def refusals(listed: tuple[File, ...], *wanted: int) -> dict[str, str]:
    _, refused = plan_links(listed, places(listed), wanted or None)
    return {places(listed)[number]: reason for number, reason in refused.items()}


@pytest.mark.parametrize(
    ("link", "target", "text"),
    [
        ("l", "f", "f"),
        ("l", "d/g", "d/g"),
        ("l", "d", "d"),
        ("d/l", "f", "../f"),
        ("d/l", "d/g", "g"),
        ("d/l", "d/e", "e"),
        ("d/e/l", "d/g", "../g"),
        ("x/y/l", "d/e", "../../d/e"),
    ],
)
def test_a_target_is_told_from_the_place_of_its_link(link: str, target: str, text: str) -> None:
    listed = files(f=None, d__g=None, d__e__h=None, **{link.replace("/", "__"): target})
    assert texts(listed) == {link: text}


@pytest.mark.parametrize("target", ["nothing", "f/below", "D", "_", "etc/passwd"])
def test_a_target_that_is_not_in_the_torrent_is_refused(target: str) -> None:
    assert refusals(files(f=None, d__g=None, l=target)) == {"l": NOT_LISTED}


def test_a_target_is_not_looked_for_behind_a_link() -> None:
    assert refusals(files(d__g=None, l="d", m="l/g")) == {"m": NOT_LISTED}


@pytest.mark.parametrize(
    "links",
    [
        {"l": "l"},
        {"l": "m", "m": "l"},
        {"d__l": "d"},
        {"d__e__l": "d"},
        {"d__l": "e", "e__m": "d"},
        {"d__l": "e/m", "e__m": "d"},
    ],
)
def test_loops_are_refused_and_what_is_on_none_is_made(links: dict[str, str]) -> None:
    listed = files(d__f=None, e__f=None, **links, good="d/f", folder="e")
    assert refusals(listed) == {name.replace("__", "/"): LOOP for name in links}
    assert texts(listed) == {"good": "d/f", "folder": "e"}


def test_a_link_to_one_that_is_not_made_is_not_made() -> None:
    assert refusals(files(f=None, l="m", m="nothing", n="l")) == {"m": NOT_LISTED, "l": NOT_THERE, "n": NOT_THERE}
    assert refusals(files(f=None, l="m", m="m")) == {"m": LOOP, "l": NOT_THERE}


def test_links_to_links_and_to_folders_of_links_are_made() -> None:
    assert texts(files(n="d", d__l="m", m="f", f=None)) == {"n": "d", "d/l": "../m", "m": "f"}


def test_what_is_not_wanted_is_no_target_and_no_link() -> None:
    listed = files(f=None, d__g=None, l="f", m="d", n="l")
    assert texts(listed, 1, 2, 3, 4) == {"m": "d"}
    assert refusals(listed, 1, 2, 3, 4) == {"l": NOT_THERE, "n": NOT_THERE}
    assert texts(listed, 0, 1, 3) == {"m": "d"}
    assert refusals(listed, 0, 1, 3) == {}


def test_a_target_that_was_renamed_is_followed_and_one_that_is_elsewhere_is_not() -> None:
    listed = files(f=None, l="f", d__m="l")
    made, _ = plan_links(listed, ["new/name", "l", "d/m"])
    assert [link.text for link in made] == ["new/name", "../l"]
    assert plan_links(listed, ["", "l", "d/m"]) == ([], {1: ELSEWHERE, 2: NOT_THERE})
    assert plan_links(listed, ["f", "", "d/m"]) == ([], {1: ELSEWHERE, 2: ELSEWHERE})


def test_a_pad_is_no_target() -> None:
    listed = (*files(l=".pad/7"), File((".pad", "7"), 7, 0, pad=True))
    assert refusals(listed) == {"l": NOT_LISTED}


@given(ENTRIES, st.sets(st.integers(0, 9)))
@settings(max_examples=300, deadline=None)
def test_links_of_any_torrent_stay_inside_end_and_depend_on_nothing_that_is_not_there(
    entries: list[Entry], wanted: set[int]
) -> None:
    try:
        listed = place(entries, None)
    except MetainfoError:
        return
    at = places(listed)
    everything, refused = plan_links(listed, at)
    links = {number for number, file in enumerate(listed) if file.symlink is not None}
    assert sorted([*(link.number for link in everything), *refused]) == sorted(links)
    wanted &= set(range(len(listed)))
    some, refused = plan_links(listed, at, wanted)
    assert set(some) <= set(everything)
    assert sorted([*(link.number for link in some), *refused]) == sorted(links & wanted)
    for made, numbers in ((everything, set(range(len(listed)))), (some, wanted)):
        _check({at[link.number]: link.text for link in made}, {at[number] for number in numbers - links})


def _check(said: dict[str, str], real: set[str]) -> None:
    """Each leads, whatever one walks into from there, to real files in finitely many steps."""
    there = {folder for path in (*real, *said) for folder in _up(path)}
    ended: dict[str, bool] = {}

    def ends(path: str) -> bool:
        if path not in ended:
            ended[path] = False  # until that is proved: who comes here again goes in a circle
            if path in said:
                target = normpath(join(dirname(path), said[path]))
                ended[path] = target in there and ends(target)
            else:
                ended[path] = path in there and all(ends(one) for one in there if dirname(one) == path)
        return ended[path]

    for path, text in said.items():
        assert text
        assert not text.startswith("/")
        assert not normpath(join(dirname(path), text)).startswith("..")
        assert ends(path)


def _up(path: str) -> list[str]:
    return [path, *_up(dirname(path))] if path else []
