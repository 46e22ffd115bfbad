"""Every fuzz target takes what is known to it: what leads deep, and what once broke something."""

import pytest

from fuzz.__main__ import NAMES, main, target_called
from fuzz.corpus import CORPUS, REGRESSIONS, entries
from fuzz.driver import judge


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_is_taken(name: str) -> None:
    target = target_called(name)
    known = [*target.corpus, *entries(name), *entries(name, REGRESSIONS)]
    judged = [judge(target, data) for data in known]
    assert [finding for _, finding in judged if finding is not None and not finding.reason.startswith("took")] == []
    assert any(good for good, _ in judged), "nothing is accepted: the target looks at refusals alone"


def test_every_folder_of_inputs_belongs_to_a_target() -> None:
    assert {path.name for folder in (CORPUS, REGRESSIONS) for path in folder.glob("*")} <= set(NAMES)


def test_the_command_says_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bencode", "--seconds", "0"]) == 0
    assert "nothing found" in capsys.readouterr().out
