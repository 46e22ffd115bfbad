"""What follows when the disk refuses, without a torrent."""

from typing import Any

import pytest

from bittern.base.errors import BitternError, StorageError
from bittern.engine.torrent import TorrentState
from bittern.session.errand import Errand
from bittern.session.recovery import Recovery
from bittern.session.status import State
from bittern.session.trouble import SECOND_TRIES, Trouble

BAD = StorageError(StorageError.Kind.IO, "/f")
FULL = StorageError(StorageError.Kind.DISK_FULL, "/f")
REPLACED = StorageError(StorageError.Kind.REPLACED, "/f")


class Patient:
    """All that a recovery deals with: what happened to it is noted."""

    def __init__(self, *, right: bool = True, state: State = State.SEEDING) -> None:
        self.state = state
        self.swarm: Any = self
        self.right = right
        self.noted: list[object] = []
        self.errand = Errand("a", self.fail)
        parts: Any = self
        self.recovery = Recovery("a", parts, parts, self.errand, Trouble(30.0), parts, self.look_again, self.fail)

    def enter(self, state: State) -> None:
        self.state = state

    def hush(self) -> None:
        self.noted.append("silent")

    def speak(self) -> None:
        self.noted.append("offered again")

    async def reads(self, piece: int) -> bool:
        self.noted.append(("read", piece))
        return self.right

    async def settle(self) -> None:
        self.noted.append("settled")

    async def look_again(self, *, trusting: bool, doubted: int | None) -> None:
        assert trusting
        self.noted.append(("looked again", doubted))
        self.state = State.SEEDING

    def fail(self, error: BitternError) -> None:
        self.noted.append(error)
        self.state = State.FAILED

    async def meets(self, error: StorageError, piece: int | None) -> list[object]:
        """What follows, to the end."""
        self.recovery.met(error, piece)
        while self.errand.busy:
            await self.errand._task  # type: ignore[misc]  # it is busy with one
        noted, self.noted = self.noted, []
        return noted


async def test_a_piece_that_reads_the_second_time_is_offered_again() -> None:
    patient = Patient()
    assert await patient.meets(BAD, 7) == [("read", 7), "offered again", "settled"]
    assert not patient.recovery.busy


async def test_after_so_many_second_tries_the_files_are_looked_at_and_at_last_it_fails() -> None:
    patient = Patient()
    for _ in range(SECOND_TRIES):
        assert ("read", 7) in await patient.meets(BAD, 7)
    assert await patient.meets(BAD, 7) == [("looked again", 7)]
    assert await patient.meets(BAD, 7) == ["silent", BAD]
    assert await patient.meets(BAD, 7) == []  # it has failed: that is no news


async def test_what_stays_bad_is_doubted_at_once() -> None:
    patient = Patient(right=False)
    assert await patient.meets(BAD, 7) == [("read", 7), ("looked again", 7)]


@pytest.mark.parametrize(("error", "expected"), [(FULL, [FULL]), (REPLACED, [("looked again", None)])])
async def test_what_can_not_be_written_fails_unless_the_files_are_others(
    error: StorageError, expected: list[object]
) -> None:
    patient = Patient(state=State.DOWNLOADING)
    patient.swarm = type("Swarm", (), {"state": TorrentState.FAILED})()
    assert await patient.meets(error, None) == expected


@pytest.mark.parametrize("state", [State.FAILED, State.CHECKING])
async def test_what_is_told_late_changes_nothing(state: State) -> None:
    assert await Patient(state=state).meets(BAD, 1) == []


async def test_without_a_swarm_nothing_follows() -> None:
    patient = Patient()
    patient.swarm = None
    assert await patient.meets(FULL, None) == []
