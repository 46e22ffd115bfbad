"""The bench of create and verify runs, at a size that measures nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import create_verify
from bench.create_verify import LIMIT, MIB, Run


def test_the_content_has_the_size_asked_for(tmp_path: Path) -> None:
    create_verify.make_content(tmp_path / "a", 17 * MIB + 5)
    assert (tmp_path / "a").stat().st_size == 17 * MIB + 5


@pytest.mark.interop
def test_every_command_of_it_works(tmp_path: Path) -> None:
    content = tmp_path / "content.bin"
    create_verify.make_content(content, MIB)
    runs = [
        create_verify.measure(*command, tmp_path / "pyc") for command in create_verify.commands(content, tmp_path, MIB)
    ]
    assert len(runs) == 15
    assert all(run.wall_seconds > 0 for run in runs)
    assert create_verify.table(runs, MIB).count("\n") == 2 + 15


def test_the_table_has_medians_beside_their_limit() -> None:
    run = Run("create v1", LIMIT, 1.0, 2.0, 10 * MIB, 0.0)
    ours = replace(run, program="bittern", wall_seconds=1.5, other_cpu_seconds=1.0)
    text = create_verify.table([run, replace(run, wall_seconds=9.0), run, ours], 10**9)
    assert text.splitlines()[2:] == [
        "| create v1: hashlib, threads | 1.00 | 1.00 | 1.00 | 2.00 | 0 | 10 |",
        "| create v1: bittern | 1.50 | 1.50 | 0.67 | 2.00 | 1 | 10 |",
    ]


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="exit status 3"):
        create_verify.measure("x", "y", ["-c", "raise SystemExit(3)"], tmp_path)
