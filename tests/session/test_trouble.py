import pytest

from bittern.base.errors import BitternError, SessionError, StorageError
from bittern.session.status import State
from bittern.session.trouble import SECOND_TRIES, Trouble

KINDS = StorageError.Kind


@pytest.mark.parametrize(
    ("error", "state", "passes"),
    [
        (StorageError(KINDS.GONE, "a"), State.MISSING_FILES, True),
        (StorageError(KINDS.DISK_FULL, "a"), State.FAILED, True),
        (StorageError(KINDS.TOO_MANY_OPEN, "a"), State.FAILED, True),
        (StorageError(KINDS.PERMISSION, "a"), State.FAILED, False),
        (SessionError("no"), State.FAILED, False),
    ],
)
def test_what_may_pass_is_tried_again_once_in_its_time(error: BitternError, state: State, passes: bool) -> None:  # noqa: FBT001 - a table
    trouble = Trouble(30.0)
    assert trouble.met(error, now=100.0) is state
    assert trouble.error is error
    assert not trouble.may_be_over(129.9)
    assert trouble.may_be_over(130.0) is passes
    assert not trouble.may_be_over(200.0)


def test_what_is_over_is_not_tried_again() -> None:
    trouble = Trouble(30.0)
    trouble.met(StorageError(KINDS.GONE, "a"), now=0.0)
    trouble.clear()
    assert trouble.error is None
    assert not trouble.may_be_over(1e9)


def test_what_can_not_be_read_is_tried_once_more_while_that_helps() -> None:
    trouble = Trouble(30.0)
    bad, other = StorageError(KINDS.IO, "a"), StorageError(KINDS.IO, "b")
    tries = [trouble.is_worth_a_second_try(bad) for _ in range(SECOND_TRIES + 2)]
    assert tries == [True] * SECOND_TRIES + [False] * 2
    assert trouble.is_worth_a_second_try(other)
    trouble.persists(other)
    assert not trouble.is_worth_a_second_try(other)
    assert trouble.is_worth_a_second_try(StorageError(KINDS.TOO_MANY_OPEN, "d"))
    assert not trouble.is_worth_a_second_try(StorageError(KINDS.REPLACED, "c"))
    assert trouble.is_surmountable(bad, reading=True), "a try that failed leaves the other way open"


def test_only_the_first_bad_place_of_a_file_is_looked_at_again() -> None:
    trouble = Trouble(30.0)
    bad = StorageError(StorageError.Kind.IO, "a")
    assert trouble.is_surmountable(bad, reading=True)
    assert not trouble.is_surmountable(bad, reading=True)
    assert trouble.is_surmountable(StorageError(StorageError.Kind.IO, "b"), reading=True)
    assert not trouble.is_surmountable(StorageError(StorageError.Kind.IO, "c"), reading=False)
    replaced = StorageError(StorageError.Kind.REPLACED, "a")
    assert trouble.is_surmountable(replaced, reading=False)
    assert not trouble.is_surmountable(StorageError(StorageError.Kind.PERMISSION, "d"), reading=True)
