"""Two streams joined; with it, the law of the peer wire: however the bytes are cut, the same calls come."""

from collections.abc import Callable, Iterable, Sequence

import pytest

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, PeerId
from bittern.testing.wire_pair import WirePair, bytewise, feed, split_at, whole
from bittern.wire.blocks import Head, Run
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.messages import BitfieldMessage, Extended, Have, KeepAlive, Piece, Request, Suggest
from bittern.wire.peerwire import PeerWire, WireState
from bittern.wire.stream import Buffer, Link, LinkLost, LossKind
from tests.sim.toys import Echo, Toy

INFO_HASH, PEER_ID = InfoHashV1(bytes(range(20))), PeerId(b"-XX0000-abcdefghijkl")
HELLO = Handshake(bytes(8), INFO_HASH, PEER_ID)


def toy_pair(left: Toy, right: Toy) -> WirePair:
    def join(toy: Toy, link: Link) -> Toy:
        toy.link = link
        return toy

    return WirePair(lambda link: join(left, link), lambda link: join(right, link))


def test_what_one_side_sends_the_other_gets_and_both_are_on_record() -> None:
    left, right = Toy(b"ping" * 5000), Echo()
    pair = toy_pair(left, right)
    assert pair.run() == 4 * 20000
    assert left.got == pair.left.record == pair.right.record == b"ping" * 5000
    assert pair.run() == 0


def test_a_side_that_takes_nothing_holds_the_bytes_up() -> None:
    left, right = Toy(b"abc"), Toy()
    right.reading = False
    pair = toy_pair(left, right)
    pair.run()
    assert right.got == b""
    right.reading = True
    pair.run()
    assert right.got == b"abc"


def test_the_end_of_one_side_is_heard_by_the_other_after_the_last_byte() -> None:
    left, right = Toy(b"abc"), Toy()
    pair = toy_pair(left, right)
    pair.run()
    pair.left.close()
    pair.run()
    assert right.got == b"abc"
    assert right.loss == LinkLost(LossKind.CLOSED)
    assert left.loss is None


def test_two_echoes_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bittern.testing.wire_pair.MAX_STEPS", 10)
    left, right = Echo(b"x"), Echo()
    with pytest.raises(RecursionError):
        toy_pair(left, right).run()


class Witness:
    """Greets with `HELLO`, expects some runs of one block and notes every call, batches taken apart."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.runs = list(runs)
        self._arriving = -1

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def note(_peer: object, *said: object) -> None:
            self.calls.append((name, *said[:-1]))

        return note

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        self.calls.append(("handshake", handshake))
        wire.land(self, None, self, lambda _: None)

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        self.calls.append(("lost", str(reason)))

    def on_lost(self, _peer: object, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        self.calls.append(("lost", str(reason)))

    def on_requests(self, _peer: object, runs: list[tuple[int, int, int, int]], now: float) -> None:
        self.calls.extend(("request", *run[:3]) for run in runs)

    most_bitfield = 1

    def expected(self) -> Iterable[Run]:
        return self.runs

    def scattered(self) -> dict[Head, memoryview]:
        return {}

    def landed_scattered(self, heads: list[Head], now: float) -> None:
        raise AssertionError(heads)

    def landed_run(self, run: Run, count: int, now: float) -> None:
        assert (run, count) == (self.runs.pop(0), 1)
        self.calls.append(("block", run.piece, bytes(run.bodies[0])))

    def upcoming(self, piece: int, begin: int, length: int) -> Run | None:
        for run in self.runs:
            if (run.piece, run.first * BLOCK, len(run.bodies[0])) == (piece, begin, length):
                self.runs.remove(run)
                self.runs.insert(0, run)
                return run
        return None

    def place(self, piece: int, begin: int, length: int) -> memoryview:
        for run in self.runs:
            if (run.piece, run.first * BLOCK, len(run.bodies[0])) == (piece, begin, length):
                self.runs.remove(run)
                self._arriving = piece
                return run.bodies[0]
        raise RemoteProtocolError(Offence.UNASKED_BLOCK)

    def landed(self, data: memoryview, now: float) -> None:
        self.calls.append(("block", self._arriving, bytes(data)))

    def diverted(self) -> None:
        raise AssertionError("nobody asked for it")


def runs() -> list[Run]:
    """Blocks short enough to try every split; each is the last of its piece."""
    return [Run(piece, 0, [memoryview(bytearray(20 + piece))]) for piece in range(4)]


def block(piece: int) -> Buffer:
    return Piece(piece, 0, bytes(range(piece, 20 + 2 * piece))).encode()


TALK = b"".join(
    (
        HELLO.encode(),
        BitfieldMessage(b"\xf0").encode(),
        KeepAlive().encode(),
        *(Request(piece, 0, 16384).encode() for piece in range(3)),
        block(0),
        block(1),
        Have(3).encode(),
        block(3),  # out of order
        Extended(7, b"d1:ai1ee").encode(),
        block(2),
        (5).to_bytes(4) + bytes((99,)) + b"what",  # a message of the future
        Suggest(2).encode(),
        KeepAlive().encode(),
        Request(3, 16384, 5).encode(),
    )
)


def heard(data: bytes, cut: Callable[[int], int]) -> list[tuple[object, ...]]:
    witness = Witness(runs())
    pair = WirePair(lambda link: PeerWire(link, Scratch(), witness, 0.0, (INFO_HASH,)), lambda _: Toy())
    assert pair.left.stream is not None
    feed(pair.left.stream, data, cut=cut)
    return witness.calls


def test_every_message_split_at_every_byte_gives_the_same_calls() -> None:
    expected = heard(TALK, whole)
    assert [call[1] for call in expected if call[0] == "block"] == [0, 1, 3, 2]
    assert [call[0] for call in expected].count("request") == 4
    assert heard(TALK, bytewise) == expected
    for place in range(1, len(TALK)):
        assert heard(TALK, split_at(place)) == expected, f"split at {place}"


def test_an_offence_is_found_at_the_same_message_wherever_the_bytes_are_cut() -> None:
    data = TALK + Have(1).encode() + block(1) + Have(2).encode()  # the block was not asked for again
    expected = heard(data, whole)
    assert expected[-1][0] == "lost"
    assert heard(data, bytewise) == expected
    for place in range(len(TALK) - 40, len(data)):
        assert heard(data, split_at(place)) == expected, f"split at {place}"


def test_two_wires_shake_hands() -> None:
    left, right = Witness([]), Witness([])
    pair = WirePair(
        lambda link: PeerWire(link, Scratch(), left, 0.0, (INFO_HASH,)),
        lambda link: PeerWire(link, Scratch(), right, 0.0),
        cut=bytewise,
    )
    for end in (pair.left, pair.right):
        assert isinstance(end.stream, PeerWire)
        end.stream.send_handshake(HELLO)
        end.stream.send_have(5)
    pair.run()
    for end, witness in ((pair.left, left), (pair.right, right)):
        assert isinstance(end.stream, PeerWire)
        assert end.stream.state is WireState.OPEN
        assert witness.calls == [("handshake", HELLO), ("on_have", 5)]
