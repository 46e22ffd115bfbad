import sys
from random import Random

from bittern.base.address import Address
from bittern.wire.utp.callers import Callers
from bittern.wire.utp.packet import HEAD, STATE, SYN, Packet, encode, parse
from bittern.wire.utp.settings import UtpSettings

ANN = Address("10.0.0.1", 1)


def syn(ident: int = 5, seq: int = 77) -> Packet:
    return Packet(SYN, ident, 1, 0, 0, seq, 0, 0, HEAD)


def callers(**settings: int) -> Callers:
    return Callers(UtpSettings(**settings), Random(1))


def ask(book: Callers, source: Address, call: Packet, now: float = 1.0) -> Packet | None:
    answer = book.call(source, call, now)
    if answer is None:
        return None
    assert len(answer) <= len(encode(call))
    return parse(memoryview(answer))


def test_a_call_is_answered_with_its_own_id() -> None:
    answer = ask(callers(), ANN, syn())
    assert answer is not None
    assert (answer.kind, answer.connection, answer.ack) == (STATE, 5, 77)


def test_who_repeats_the_call_gets_the_same_answer() -> None:
    book = callers()
    first, second = ask(book, ANN, syn()), ask(book, ANN, syn(), 2.0)
    assert first is not None
    assert second is not None
    assert first.seq == second.seq
    assert len(book) == 1


def test_only_who_heard_the_answer_is_let_in() -> None:
    book = callers()
    answer = ask(book, ANN, syn())
    assert answer is not None
    proof = Packet(STATE, 6, 1, 0, 0, 78, answer.seq - 1 & 0xFFFF, 0, HEAD)
    assert book.proved(ANN, proof._replace(ack=answer.seq), 1.0) is None
    assert book.proved(ANN._replace(port=2), proof, 1.0) is None
    assert book.proved(ANN, proof._replace(connection=5), 1.0) is None
    caller = book.proved(ANN, proof, 1.0)
    assert caller is not None
    assert (caller.theirs, caller.ours) == (77, answer.seq)
    assert book.proved(ANN, proof, 1.0) is None
    assert len(book) == 0


def test_a_host_has_so_many_calls_at_a_time() -> None:
    book = callers(half_open_per_host=2)
    assert ask(book, ANN, syn(1)) is not None
    assert ask(book, ANN, syn(2)) is not None
    assert ask(book, ANN, syn(3)) is None
    assert ask(book, Address("10.0.0.2", 1), syn(3)) is not None
    assert ask(book, ANN, syn(3), 32.0) is not None


def test_the_oldest_call_gives_way() -> None:
    book = callers(half_open=10)
    for number in range(1000):
        assert ask(book, Address(f"10.0.{number >> 8}.{number & 255}", 1), syn()) is not None
        assert len(book) <= 10
    assert len(book._per_host) == 10


def test_a_new_call_with_the_same_id_replaces_the_old() -> None:
    book = callers()
    ask(book, ANN, syn())
    answer = ask(book, ANN, syn(seq=99))
    assert answer is not None
    assert answer.ack == 99
    assert len(book) == 1


def test_a_flood_from_one_host_is_refused_without_looking_at_all_calls() -> None:
    book = callers(half_open_per_host=1)
    for number in range(500):
        assert ask(book, Address(f"10.1.{number >> 8}.{number & 255}", 1), syn()) is not None
    steps = 0

    def count(*happened: object) -> None:
        nonlocal steps
        steps += happened[1] == "call"

    sys.setprofile(count)
    try:
        assert book.call(Address("10.1.0.7", 9), syn(), 2.0) is None
    finally:
        sys.setprofile(None)
    assert steps < 10
