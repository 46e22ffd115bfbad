from random import Random

from bittern.base.address import Address
from bittern.engine.dht.calls import GONE_SECONDS, SLOW_SECONDS, Calls
from bittern.wire.krpc import Contact, Ping, Query, Reply
from bittern.wire.krpc_reader import read_message

OWN = bytes(20)
ONE = Contact(b"\1" * 20, Address("5.6.7.8", 1))


class Deaf:
    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        pass

    def failed(self, contact: Contact, now: float) -> None:
        pass

    def slow(self, contact: Contact, now: float) -> None:
        pass


def ask(calls: Calls, contact: Contact, now: float) -> bytes:
    message = read_message(calls.ask(OWN, contact, Ping(), Deaf(), now, read_only=True))
    assert isinstance(message, Query)
    assert message.read_only
    return message.transaction


def test_an_answer_counts_once_and_only_from_where_the_question_went() -> None:
    calls = Calls(Random(1).randbytes)
    transaction = ask(calls, ONE, 0.0)
    assert calls.take(transaction, Address("5.6.7.8", 2)) is None
    assert calls.take(transaction, Address("5.6.7.9", 1)) is None
    assert calls.take(b"\0" * 4, ONE.address) is None
    call = calls.take(transaction, ONE.address)
    assert call is not None
    assert call.contact == ONE
    assert calls.take(transaction, ONE.address) is None
    assert len(calls) == 0


def test_transactions_are_random_and_never_twice_at_once() -> None:
    rng = Random(1)
    calls = Calls(lambda *_: rng.choice((b"aaaa", b"bbbb", b"cccc")))
    assert len({ask(calls, ONE, 0.0) for _ in range(3)}) == 3


def test_questions_become_slow_and_are_given_up_in_their_order() -> None:
    calls = Calls(Random(1).randbytes)
    assert calls.next_deadline() is None
    first, second = ask(calls, ONE, 0.0), ask(calls, ONE, 0.5)
    assert calls.next_deadline() == SLOW_SECONDS
    slow, gone = calls.take_due(SLOW_SECONDS)
    assert ([call.transaction for call in slow], gone) == ([first], [])
    assert calls.next_deadline() == SLOW_SECONDS + 0.5
    calls.take_due(SLOW_SECONDS + 0.5)
    assert calls.take(first, ONE.address) is not None
    assert calls.next_deadline() == GONE_SECONDS + 0.5
    slow, gone = calls.take_due(GONE_SECONDS + 0.5)
    assert (slow, [call.transaction for call in gone]) == ([], [second])
    assert calls.next_deadline() is None
    assert calls.take(second, ONE.address) is None


def test_after_a_long_sleep_everything_is_given_up_at_once() -> None:
    calls = Calls(Random(1).randbytes)
    ask(calls, ONE, 0.0)
    slow, gone = calls.take_due(1000.0)
    assert len(slow) == len(gone) == 1
