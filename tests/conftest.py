"""What holds for every test: a home of its own, and repeatable Hypothesis runs."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

# Shared machines pause for longer than Hypothesis's deadline; a failure must come back on every run.
hypothesis.settings.register_profile("bittern", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("bittern")

# The command line would begin with well-known nodes of the world, and ask the router for ports; tests name their own.
# See tests/cli/test_network.py.
NOTHING_LEAVES = {"BITTERN_NO_DHT": "1", "BITTERN_DHT_ROUTER": "127.0.0.1:9", "BITTERN_NO_NAT": "1"}

FOR_THE_TESTS = {"BITTERN_CI", "BITTERN_INTEROP_JSON", "BITTERN_SIM_SEED"}


# A shell ignores interrupts for what it runs in the background, and programs inherit that: tests of Ctrl-C would wait.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's configuration, state or cache, nor obeys their BITTERN_* settings."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(home))
        for name in [n for n in os.environ if n.startswith("BITTERN_") and n not in FOR_THE_TESTS]:
            patch.delenv(name)
        for name, value in NOTHING_LEAVES.items():
            patch.setenv(name, value)
        yield
