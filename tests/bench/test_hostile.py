"""What the bench of hostile peers says of what came of them."""

from bench.hostile import dearer, table
from tests.faults.misdeeds import MISDEEDS
from tests.faults.rigs.arena import Outcome
from tests.faults.rigs.handshakes import KINDS
from tests.faults.rigs.misdeed import Against

MISDEED = MISDEEDS["Content"][0]
WELL = Outcome((), 0.012, 0.0, 0.003, 0.02, 0.001, 3 << 20, 0.25, 3.2)
ILL = Outcome(("not hung up on", "12.0 MiB"), 0.012, 0.0, 0.003, 0.02, 0.001, 12 << 20, 0.25, 3.2)


def test_each_has_a_row_with_its_fate_or_what_was_wrong() -> None:
    *_, well, ill = table([(MISDEED, Against.SEED, WELL), (MISDEED, Against.LEECH, ILL)]).splitlines()
    assert well == f"| {MISDEED.what} | seed | dropped | 12 | 0 | 3 | 20 | 3.0 | 0.25 | 3.2 |"
    assert ill == f"| {MISDEED.what} | leech | **not hung up on; 12.0 MiB** | 12 | 0 | 3 | 20 | 12.0 | 0.25 | 3.2 |"


def test_a_bad_handshake_is_held_against_the_good_one_of_its_kind() -> None:
    costs = {kind.what: (1.0, 0.0) for kind in KINDS}
    assert dearer(costs) == []
    assert dearer(costs | {"garbage": (1.6, 0.0)}) == ["garbage costs 1.60 ms, a good one, encrypted 1.00 ms"]
