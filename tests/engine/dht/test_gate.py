from math import inf

from bittern.base.address import Address
from bittern.engine.dht.gate import BLOCK_SECONDS, BURST, PROOF_SECONDS, Gate

ONE, SAME_IP, OTHER = Address("5.6.7.8", 1), Address("5.6.7.8", 2), Address("5.6.7.9", 1)


def test_who_asks_too_much_is_not_heard_for_five_minutes() -> None:
    gate = Gate(1e9)
    assert all(gate.admits((ONE, SAME_IP)[number % 2], 0.0) for number in range(int(BURST)))
    assert not gate.admits(ONE, 0.0)
    assert not gate.admits(SAME_IP, BLOCK_SECONDS - 1)
    assert gate.admits(OTHER, 0.0)
    assert gate.admits(ONE, BLOCK_SECONDS)


def test_five_questions_a_second_are_heard_for_ever() -> None:
    gate = Gate(1e9)
    assert all(gate.admits(ONE, number / 5) for number in range(2000))


def test_all_replies_together_have_a_limit() -> None:
    gate = Gate(1000.0)
    sent = 0
    for number in range(10_000):
        now = number / 1000
        if gate.admits(Address(f"5.6.{number >> 8}.{number & 255}", 1), now):
            gate.sent(100)
            sent += 100
    assert 9_000 <= sent <= 12_300  # ten seconds, two saved up


def test_a_stranger_gets_three_times_what_it_sent_and_who_answered_gets_all() -> None:
    gate = Gate(1e9)
    assert gate.allowance(ONE, 100, 0.0) == 300
    gate.prove(ONE, 0.0)
    assert gate.allowance(ONE, 100, PROOF_SECONDS - 1) == inf
    assert gate.allowance(SAME_IP, 100, 1.0) == 300
    assert gate.allowance(ONE, 100, PROOF_SECONDS) == 300


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    gate = Gate(inf)
    for number in range(20_000):
        address = Address(f"5.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
        gate.admits(address, 0.0)
        gate.prove(address, 0.0)
    assert len(gate._askers) <= 4096
    assert len(gate._proven) <= 4096
