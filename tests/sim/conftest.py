"""The seeds of the scenarios: `make sim SEED=... SEEDS=...` sets them, and a failure says the one it had."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

TIMEOUT_SECONDS = 1200
"""They wait for nothing, and simulated clocks do not stand still: only a busy machine makes them last."""
FIRST, COUNT = int(os.environ.get("BITTERN_SIM_SEED", "0")), int(os.environ.get("BITTERN_SIM_SEEDS", "1"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every scenario runs once for each seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(FIRST, FIRST + COUNT), indirect=True, ids=lambda value: f"seed{value}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each simulation time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Where all chance comes from; printed, so that a failure shows how to replay it."""
    value: int = request.param
    print(f"replay: make sim SEED={value}")  # noqa: T201 - pytest shows it where the test fails
    return value


_FIGURES: list[str] = []


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Tell a measured figure, for the table at the end of the run."""
    return _FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the scenarios measured."""
    if _FIGURES:
        terminalreporter.section("figures of the simulated swarms")
        for line in _FIGURES:
            terminalreporter.line(line)
