from bittern.engine.upload.turn import TURN_PIECES, TURN_ROUNDS, Turn


def test_a_turn_is_used_up_by_bytes_or_by_time() -> None:
    turn = Turn()
    turn.begin(5000)
    assert turn.used(5000, 100) == 0
    assert turn.used(5000 + TURN_PIECES * 50, 100) == 0.5
    for _ in range(TURN_ROUNDS):
        turn.next_round(served=True, interested=True)
    assert turn.used(5000, 100) == 1


def test_only_who_wants_something_waits_and_a_new_turn_forgets_it() -> None:
    turn = Turn()
    for interested in (True, False, True):
        turn.next_round(served=False, interested=interested)
    assert turn.waited == 2
    turn.begin(0)
    assert (turn.waited, turn.rounds) == (0, 0)


def test_an_interrupted_turn_goes_on_where_it_was() -> None:
    turn = Turn()
    turn.begin(100)
    turn.next_round(served=True, interested=True)
    turn.interrupted = True
    turn.next_round(served=False, interested=True)
    turn.begin(300)
    assert (turn.rounds, turn.sent_before, turn.interrupted) == (2, 100, False)
