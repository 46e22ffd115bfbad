import io
import json
from math import inf
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.base.errors import StorageError
from bittern.base.ids import PeerId
from bittern.cli.reports import Json, Lines, Quiet, Waiting, Warnings, document, report_for, summary
from bittern.cli.search import Search
from bittern.session import events
from bittern.session.status import State, Status

DOWNLOADING = Status(
    state=State.DOWNLOADING,
    name="film\x1b[2J",
    done_bytes=512 << 10,
    total_bytes=2 << 20,
    down_rate=131072.0,
    peers=1,
    eta_seconds=12.0,
)
FAILED = events.TrackerFailed("http://t/", "no\x07 answer", 15.0)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (DOWNLOADING, "film\ufffd[2J: 25.0% of 2.0 MiB, 128.0 KiB/s down, 1 peer, 12 s left"),
        (
            Status(state=State.DOWNLOADING, name="a", total_bytes=10, web_seeds=1),
            "a: 0.0% of 10 B, 0 B/s down, 0 peers, 1 web seed",
        ),
        (Status(state=State.CHECKING, name="a"), "a: checking"),
        (Status(state=State.CHECKING, name="a", check=(1 << 20, 2 << 20)), "a: checking 50% of 2.0 MiB"),
        (
            Status(state=State.DOWNLOADING, name="a", total_bytes=10, peers=5, utp_peers=2, encrypted_peers=3),
            "a: 0.0% of 10 B, 0 B/s down, 5 peers (2 uTP, 3 encrypted)",
        ),
        (Status(state=State.METADATA, name="a", peers=2), "a: metadata, 2 peers"),
        (Status(state=State.METADATA, name="a", peers=1, metadata=(3, 7)), "a: metadata 3/7, 1 peer"),
        (Status(state=State.METADATA, name="a"), "a: waiting for peers"),
        (
            Status(state=State.SEEDING, name="a", total_bytes=100, done_bytes=100, uploaded=150, complete=True),
            "a: seeding, ratio 1.50, 0 B/s up, 0 peers",
        ),
    ],
)
def test_a_line_says_how_it_stands(status: Status, line: str) -> None:
    assert summary(status) == line


@pytest.mark.parametrize(
    ("event", "name", "fields"),
    [
        (events.StateChanged(State.SEEDING), "state", {"state": "seeding"}),
        (events.MetadataReceived("a", 5), "metadata", {"name": "a", "total_bytes": 5}),
        (events.CheckProgress(1, 2), "checking", {"done_bytes": 1, "total_bytes": 2}),
        (events.Checked(1, 2), "checked", {"done_bytes": 1, "total_bytes": 2}),
        (events.PieceFailed(3), "piece_failed", {"piece": 3}),
        (events.TrackerAnswered("u", 4, None), "tracker", {"url": "u", "peers": 4, "warning": None}),
        (events.TrackerFailed("u", "r", 14.6), "tracker_error", {"url": "u", "reason": "r", "retry_seconds": 15}),
        (events.WebSeedFailed("u", "r", inf), "web_seed_error", {"url": "u", "reason": "r", "retry_seconds": 10**9}),
        (events.Failed(StorageError(StorageError.Kind.IO, "/a")), "failed", {"reason": "/a: input/output error"}),
        (events.SaveFailed("r"), "save_failed", {"reason": "r"}),
    ],
)
def test_events_as_json(event: events.Event, name: str, fields: dict[str, Any]) -> None:
    assert document(event) == (name, fields)


def test_events_that_are_not_reported() -> None:
    assert document(events.PeerJoined(Address("127.0.0.1", 1), PeerId(bytes(20)))) is None


def test_a_warning_is_said_once_until_it_changes() -> None:
    warnings = Warnings()
    assert warnings.lines(FAILED) == ["tracker http://t/: no\ufffd answer; asking again in 15 s"]
    assert warnings.lines(FAILED) == []
    assert warnings.lines(events.TrackerAnswered("http://t/", 1, None)) == []
    assert len(warnings.lines(FAILED)) == 1
    assert warnings.lines(events.TrackerAnswered("http://t/", 1, "slow\n")) == ["tracker http://t/ says: slow\ufffd"]
    assert warnings.lines(events.WebSeedFailed("http://w/", "bad\n", inf)) == ["web seed http://w/: bad\ufffd"]
    assert warnings.lines(events.WebSeedFailed("http://w/", "no", 7.0)) == [
        "web seed http://w/: no; asking again in 7 s"
    ]
    assert warnings.lines(events.PieceFailed(7)) == ["piece 7 came corrupt and is fetched again"]
    told = [warnings.lines(events.PieceFailed(piece)) for piece in range(20)]
    assert sum(map(len, told)) == 10
    assert told[9] == ["more pieces came corrupt and are fetched again"]


def test_waiting_for_peers_is_told_less_and_less_often() -> None:
    waiting = Waiting(patience=5.0)
    alone = Status(state=State.DOWNLOADING, name="a", known_peers=2)
    said = [now for now in range(60) if waiting.line(alone, float(now))]
    assert said == [5, 15, 45]
    assert waiting.line(DOWNLOADING, 61.0) is None
    by_web = Status(state=State.DOWNLOADING, name="a", web_seeds=2)
    assert not any(waiting.line(by_web, 100.0 + now) for now in range(60))
    assert waiting.line(alone, 62.0) is None
    line = waiting.line(alone, 67.0)
    assert line == "no peers, for 5 s; 2 addresses known; still waiting for peers"
    waiting.note(events.PeerDropped(Address("127.0.0.1", 1), "refused\n", offence=False))
    line = waiting.line(alone, 77.0) or ""
    assert "; the last, 127.0.0.1:1: refused\ufffd; still waiting for peers (they may be gone" in line


def test_while_nobody_is_there_it_is_said_whom_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("bittern.cli.reports.time.monotonic", lambda: now)
    report = Lines()
    status = Status(state=State.METADATA, name="a", known_peers=2)
    for now in (1.0, 3.0, 6.0, 14.0):
        report.show(status, Search(("2 trackers", "the DHT"), {"tracker": 2} if now > 3 else {}))
    assert capsys.readouterr().err.splitlines() == [
        "bittern: a: asking 2 trackers and the DHT",
        "bittern: addresses of peers: 2 from trackers",
        "bittern: no peers, for 5 s; 2 addresses known; still asking 2 trackers and the DHT",
    ]


def test_lines_are_few(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("bittern.cli.reports.time.monotonic", lambda: now)
    report = Lines()
    for _ in range(100):
        now += 0.25
        report.show(DOWNLOADING)
    report.tell(events.MetadataReceived("a\n", 5))
    report.tell(FAILED)
    report.result("complete", {}, "Complete: a")
    out, err = capsys.readouterr()
    assert out == "Complete: a\n"
    lines = err.splitlines()
    assert len(lines) == 5
    assert lines[3:] == [
        "bittern: metadata is here: a\ufffd, 5 B",
        "bittern: tracker http://t/: no\ufffd answer; asking again in 15 s",
    ]


def test_that_it_is_complete_is_left_to_who_waits_for_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("bittern.cli.reports.time.monotonic", lambda: now)
    report = Lines()
    seeding = Status(state=State.SEEDING, name="a", total_bytes=100, done_bytes=100, complete=True)
    for now in (2.1, 3.0, 4.2):  # noqa: B007 - the clock reads it
        report.show(seeding)
    assert capsys.readouterr().err == "bittern: a: seeding, ratio 0.00, 0 B/s up, 0 peers\n"


def test_json_prints_a_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    report = Json()
    report.tell(events.PieceFailed(1))
    report.show(DOWNLOADING, Search((), {"dht": 3}))
    report.show(Status(state=State.CHECKING, name="a"))
    report.result("complete", {"path": "/a"}, "not this")
    report.say("beside it")
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in found] == ["piece_failed", "progress", "complete"]
    assert (found[1]["eta_seconds"], found[1]["found_by"], found[1]["metadata_blocks"]) == (12, {"dht": 3}, None)
    assert err == "bittern: beside it\n"


def test_quiet_says_only_what_needs_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    report = Quiet()
    report.tell(FAILED)
    report.show(DOWNLOADING)
    report.result("complete", {}, "Complete: a")
    assert capsys.readouterr() == ("", "")
    report.tell(events.SaveFailed("disk full"))
    assert capsys.readouterr().err == "bittern: warning: progress could not be saved: disk full\n"


def test_the_report_suits_flags_and_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(report_for(json=True, quiet=True), Json)
    assert isinstance(report_for(json=False, quiet=True), Quiet)
    assert isinstance(report_for(json=False, quiet=False), Lines)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr", Terminal())
    display = report_for(json=False, quiet=False)
    assert type(display).__name__ == "Display"
    display.close()
