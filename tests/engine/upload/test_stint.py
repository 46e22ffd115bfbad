from bittern.engine.upload.stint import STINT_PIECES, STINT_ROUNDS, Stint


def test_a_stint_is_used_up_by_bytes_or_by_time() -> None:
    stint = Stint()
    stint.begin(5000)
    assert stint.used(5000, 100) == 0
    assert stint.used(5000 + STINT_PIECES * 50, 100) == 0.5
    for _ in range(STINT_ROUNDS):
        stint.next_round(served=True, interested=True)
    assert stint.used(5000, 100) == 1


def test_only_who_wants_something_waits_and_a_new_stint_forgets_it() -> None:
    stint = Stint()
    for interested in (True, False, True):
        stint.next_round(served=False, interested=interested)
    assert stint.waited == 2
    stint.begin(0)
    assert (stint.waited, stint.rounds) == (0, 0)


def test_an_interrupted_stint_goes_on_where_it_was() -> None:
    stint = Stint()
    stint.begin(100)
    stint.next_round(served=True, interested=True)
    stint.interrupted = True
    stint.next_round(served=False, interested=True)
    stint.begin(300)
    assert (stint.rounds, stint.sent_before, stint.interrupted) == (2, 100, False)
