import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bittern.cli.display import Display, Layout, numbers
from bittern.cli.search import NOWHERE, Search
from bittern.session import events
from bittern.session.status import State, Status


def shown(width: int, *statuses: Status, told: tuple[events.Event, ...] = ()) -> str:
    """What a terminal of `width` columns gets."""
    stream = io.StringIO()
    display = Display(Console(file=stream, width=width, force_terminal=True, color_system=None, highlight=False))
    for status in statuses:
        display.show(status)
    for event in told:
        display.tell(event)
    display.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status(state=State.CHECKING, name="a"), "checking"),
        (Status(state=State.METADATA, name="a", peers=1), "metadata, 1 peer"),
        (
            Status(state=State.DOWNLOADING, name="a", total_bytes=1 << 20, down_rate=2048.0, peers=3, eta_seconds=60),
            "of 1.0 MiB, 2.0 KiB/s, 3 peers, 1:00",
        ),
        (Status(state=State.SEEDING, name="a", total_bytes=1 << 20, complete=True), "of 1.0 MiB, complete"),
        (
            Status(state=State.SEEDING, name="a", total_bytes=100, uploaded=50, peers=1, complete=True),
            "seeding, 0 B/s up, ratio 0.50, 1 peer",
        ),
    ],
)
def test_the_numbers_behind_the_bar(status: Status, text: str) -> None:
    assert numbers(status) == text


@pytest.mark.parametrize(
    ("status", "search", "text"),
    [
        (Status(state=State.DOWNLOADING, name="a", total_bytes=9, peers=1), NOWHERE, "0 B/s, 1 peer"),
        (Status(state=State.DOWNLOADING, name="a", total_bytes=9, web_seeds=1), NOWHERE, "0 B/s, 1 web seed"),
        (Status(state=State.DOWNLOADING, name="a", total_bytes=9, web_seeds=2), NOWHERE, "0 B/s, 2 web seeds"),
        (Status(state=State.DOWNLOADING, name="a", peers=3, web_seeds=1), NOWHERE, "0 B/s, 3 peers + 1 web"),
        (Status(state=State.DOWNLOADING, name="a", total_bytes=9), Search(("the DHT",)), "looking for peers"),
        (Status(state=State.DOWNLOADING, name="a", total_bytes=9), NOWHERE, "waiting for peers"),
        (Status(state=State.METADATA, name="a"), Search(("the DHT",)), "looking for peers"),
        (Status(state=State.METADATA, name="a", peers=2, metadata=(1, 2)), NOWHERE, "metadata 1/2, 2 peers"),
        (Status(state=State.SEEDING, name="a", total_bytes=9, complete=True), NOWHERE, "complete"),
        (Status(state=State.PAUSED, name="a", total_bytes=9), Search(("the DHT",)), "paused"),
    ],
)
def test_the_numbers_on_a_narrow_terminal(status: Status, search: Search, text: str) -> None:
    assert numbers(status, search, brief=True) == text


@given(st.integers(20, 300), st.integers(0, 300))
def test_the_columns_fit_and_what_counts_is_not_cut(width: int, name: int) -> None:
    layout = Layout.of(width, name)
    gaps = 3 if layout.bar else 2
    assert layout.name + layout.bar + len("100.0%") + layout.numbers + gaps == width
    assert layout.bar == 0 or layout.bar >= 5
    assert layout.numbers >= (28 if width >= 50 else 1)
    assert layout.brief == (width < 72)
    if width >= 80:
        assert layout.numbers >= len("of 1023.9 GiB, 1023.9 KiB/s, 99 peers")


@pytest.mark.parametrize("width", [40, 50, 80, 160])
def test_a_status_is_one_line_on_any_terminal(width: int) -> None:
    status = Status(
        state=State.DOWNLOADING,
        name="a very long name of a film \x1b[2J" * 5,
        done_bytes=1 << 20,
        total_bytes=2 << 20,
        down_rate=1e6,
        peers=12,
        eta_seconds=1.0,
    )
    text = shown(width, status)
    frames = text.replace("\x1b[2K", "").replace("\x1b[?25l", "").replace("\x1b[?25h", "").split("\r")
    assert "\x1b[2J" not in text
    assert all("\n" not in frame.rstrip("\n") for frame in frames)
    assert all(len(frame.rstrip("\n")) <= width for frame in frames)
    assert "50.0%" in text
    assert "976.6 KiB/s" in text
    assert "12 peers, 1 s" in text or width < 50


def test_messages_are_safe_and_the_cursor_comes_back() -> None:
    text = shown(
        80, Status(state=State.DOWNLOADING, name="a"), told=(events.TrackerFailed("http://t/", "[red]no\x1b[2J", 1.0),)
    )
    assert "tracker http://t/: [red]no\ufffd[2J" in text
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")


def test_nothing_is_drawn_before_there_is_something() -> None:
    assert shown(80) == ""
