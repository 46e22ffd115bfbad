"""The seed of the scenarios: `make sim SEED=...` sets it, and a failure says it."""

import os

import pytest


@pytest.fixture
def seed() -> int:
    """Where all chance comes from; printed, so that a failure shows how to replay it."""
    value = int(os.environ.get("BITTERN_SIM_SEED", "0"))
    print(f"replay: make sim SEED={value}")  # noqa: T201 - pytest shows it where the test fails
    return value
