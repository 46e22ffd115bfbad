from pathlib import Path

import pytest

from bittern.base.errors import TrackerError
from bittern.io.tracker.lists import Lists
from bittern.tracker.policy import Policy

HASH = bytes(range(20))


def test_lists_say_who_is_served(tmp_path: Path) -> None:
    allow, keys = tmp_path / "allow", tmp_path / "keys"
    allow.write_text(f"{HASH.hex()}  # ours\n")
    keys.write_text("secret\n")
    policy = Policy()
    Lists(allow, keys).read_into(policy)
    policy.check(HASH, "/secret/announce")
    for info_hash, target in ((bytes(20), "/secret/announce"), (HASH, "/announce")):
        with pytest.raises(TrackerError):
            policy.check(info_hash, target)


def test_without_lists_everybody_is_served() -> None:
    policy = Policy([HASH], ["secret"])
    Lists().read_into(policy)
    assert not policy.private


def test_a_bad_line_changes_nothing_and_is_named(tmp_path: Path) -> None:
    allow, keys = tmp_path / "allow", tmp_path / "keys"
    allow.write_text(HASH.hex())
    keys.write_text("fine\nnot/fine\n")
    policy = Policy()
    with pytest.raises(ValueError, match=r"keys: line 2 is no passkey"):
        Lists(allow, keys).read_into(policy)
    assert not policy.private
    with pytest.raises(FileNotFoundError):
        Lists(tmp_path / "none", None).read_into(policy)
