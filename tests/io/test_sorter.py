from bittern.base.address import Address
from bittern.io.sorter import Single, Sorter
from bittern.wire.datagrams import Kind

SOURCE = Address("192.0.2.1", 7)
PACKET = b"\x01".ljust(20, b"u")
QUERY = b"d1:y1:qe".ljust(20, b" ")


class Receiver:
    def __init__(self) -> None:
        self.heard: list[tuple[bytes, int]] = []
        self.turns = 0

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        assert source == SOURCE
        self.heard.append((bytes(data), segment))

    def caught_up(self, now: float) -> None:
        self.turns += 1


def came(sorter: Sorter, data: bytes, segment: int | None = None) -> None:
    sorter.came(memoryview(data), segment or len(data), SOURCE, 1.0)


def test_each_gets_its_kind_and_the_rest_nobody() -> None:
    sorter, utp, dht = Sorter(), Receiver(), Receiver()
    sorter.join(Kind.UTP, utp)
    sorter.join(Kind.DHT, dht)
    for data in (PACKET, QUERY, b"", b"?", b"\0\0\0\3"):
        came(sorter, data)
    assert utp.heard == [(PACKET, 20)]
    assert dht.heard == [(QUERY, 20)]


def test_packets_that_came_as_one_stay_so() -> None:
    sorter, utp = Sorter(), Receiver()
    sorter.join(Kind.UTP, utp)
    came(sorter, PACKET * 5 + PACKET[:7], 20)
    assert utp.heard == [(PACKET * 5 + PACKET[:7], 20)]


def test_of_others_each_comes_for_itself() -> None:
    sorter, dht, heard = Sorter(), Receiver(), list[bytes]()
    sorter.join(Kind.DHT, dht)
    sorter.join(Kind.TRACKER, Single(lambda data, _, __: heard.append(data), lambda _: None))
    came(sorter, QUERY * 3 + b"d" * 9, 20)
    assert dht.heard == [(QUERY, 20)] * 3 + [(b"d" * 9, 9)]
    came(sorter, b"\0\0\0\1" * 2, 4)
    assert heard == [b"\0\0\0\1"] * 2


def test_who_sends_both_at_once_is_understood() -> None:
    sorter, utp, dht = Sorter(), Receiver(), Receiver()
    sorter.join(Kind.UTP, utp)
    sorter.join(Kind.DHT, dht)
    came(sorter, PACKET + QUERY + PACKET, 20)
    assert utp.heard == [(PACKET, 20)] * 2
    assert dht.heard == [(QUERY, 20)]


def test_only_who_heard_something_is_told_that_it_was_all() -> None:
    sorter, utp, dht = Sorter(), Receiver(), Receiver()
    sorter.join(Kind.UTP, utp)
    sorter.join(Kind.DHT, dht)
    came(sorter, PACKET)
    came(sorter, PACKET)
    for _ in range(2):
        sorter.caught_up(1.0)
    assert (utp.turns, dht.turns) == (1, 0)


def test_who_has_left_hears_nothing_more() -> None:
    sorter, utp, dht = Sorter(), Receiver(), Receiver()
    sorter.join(Kind.UTP, utp)
    sorter.join(Kind.DHT, dht)
    came(sorter, PACKET)
    assert sorter.leave(Kind.UTP)
    sorter.caught_up(1.0)
    came(sorter, PACKET)
    assert (utp.turns, len(utp.heard)) == (0, 1)
    assert not sorter.leave(Kind.DHT)
