"""A real client downloads while the worst flood comes; all of the heaviest, at length, are in `make hostile`."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.misdeeds import MISDEEDS
from tests.faults.rigs.arena import WAIT_SECONDS
from tests.faults.rigs.beside import Yard
from tests.faults.rigs.torrent import MIB

SECONDS = 0.1


@pytest.mark.interop
def test_libtorrent_never_waits_beside_all_floods_at_once(tmp_path: Path) -> None:
    pytest.importorskip("libtorrent")
    [worst] = [misdeed for misdeed in MISDEEDS["Requests and floods"] if misdeed.name == "all_floods_at_once"]
    with ExitStack() as stack:
        beside = Yard(tmp_path, stack, 32 * MIB).play(worst, 1, SECONDS)
    assert beside.outcome.wrongs == ()
    assert beside.meanwhile.size > 0
    assert beside.meanwhile.waited < WAIT_SECONDS + beside.before.waited + beside.outcome.control_seconds
