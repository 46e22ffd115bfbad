"""What the bench of hostile peers says of what came of them."""

from bench.hostile import HEAVIEST, dearer, table, table_beside
from tests.faults.misdeeds import MISDEEDS
from tests.faults.rigs.arena import Outcome
from tests.faults.rigs.beside import Beside, Look
from tests.faults.rigs.handshakes import KINDS
from tests.faults.rigs.misdeed import Against

MISDEED = MISDEEDS["Content"][0]
WELL = Outcome((), 0.012, 0.0, 0.003, 0.02, 0.001, 3 << 20, 0.25, 3.2)
ILL = Outcome(("not hung up on", "12.0 MiB"), 0.012, 0.0, 0.003, 0.02, 0.001, 12 << 20, 0.25, 3.2)


def test_each_has_a_row_with_its_fate_or_what_was_wrong() -> None:
    *_, well, ill = table([(MISDEED, Against.SEED, WELL), (MISDEED, Against.LEECH, ILL)]).splitlines()
    assert well == f"| {MISDEED.what} | seed | dropped | 12 | 0 | 3 | 20 | 3.0 | 0.25 | 3.2 |"
    assert ill == f"| {MISDEED.what} | leech | **not hung up on; 12.0 MiB** | 12 | 0 | 3 | 20 | 12.0 | 0.25 | 3.2 |"


def test_a_real_client_has_a_row_with_its_share_or_what_was_wrong() -> None:
    before, meanwhile = Look(16 << 20, 2.0, 0.06), Look(24 << 20, 4.0, 0.1)
    well, ill = Beside(before, meanwhile, WELL), Beside(before, Look(8 << 20, 4.0, 1.07), WELL)
    *_, first, second = table_beside([(MISDEED, well), (MISDEED, ill)]).splitlines()
    assert first == f"| {MISDEED.what} | 8.00 | 6.00 | 0.75 | 60 | 100 | 3 | 0.25 | 3.2 |"
    wrong = "libtorrent waited 1.07 s, the control 0.06 s; libtorrent had 25% of its rate"
    assert second == f"| {MISDEED.what} | 8.00 | 2.00 | **{wrong}** | 60 | 1070 | 3 | 0.25 | 3.2 |"


def test_the_heaviest_are_misdeeds_to_a_seed() -> None:
    to_a_seed = {each.name for every in MISDEEDS.values() for each in every if Against.SEED in each.against}
    assert set(HEAVIEST) <= to_a_seed


def test_a_bad_handshake_is_held_against_the_good_one_of_its_kind() -> None:
    costs = {kind.what: (1.0, 0.0) for kind in KINDS}
    assert dearer(costs) == []
    assert dearer(costs | {"garbage": (1.6, 0.0)}) == ["garbage costs 1.60 ms, a good one, encrypted 1.00 ms"]
