"""Connections that belong to nobody yet: who waits, for how long, and who goes when there are too many."""

from random import Random

from bittern.base.errors import RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.tracing import silent
from bittern.engine.lobby import Lobby
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import HANDSHAKE_SECONDS, PeerWire, WireState
from bittern.wire.stream import LinkLost
from tests.engine.peers import HASH, OURS, Line

OTHER = InfoHashV1(b"\x07" * 20)


class Case:
    """A lobby whose wires are nobody's business."""

    def __init__(self, most: int = 3) -> None:
        chance = World(Random, 0).chance("x")
        self.shared = Shared(EngineSettings(max_strangers=most), OURS, chance, lambda *_: False, silent)
        self.lobby = Lobby(self, self.shared)
        self.lost: list[int] = []

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        raise AssertionError(handshake)

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        self.lobby.leave(wire)
        self.lost.append(wire.key)

    def comes(self, number: int, now: float = 0.0, torrent: Torrent | None = None) -> tuple[Line, PeerWire]:
        line = Line(f"10.0.0.{number}")
        return line, self.lobby.enter(line, now, torrent)

    def calls(self, number: int, name: InfoHashV1 = HASH, now: float = 0.0) -> PeerWire:
        """Somebody comes for a torrent that sleeps."""
        _, wire = self.comes(number, now)
        self.lobby.leave(wire)
        self.lobby.keep_waiting(wire, Handshake(bytes(8), name, PeerId(b"-XX0000-%012d" % number)))
        return wire


def test_every_wire_has_a_key_of_its_own_below_zero() -> None:
    case = Case()
    keys = [case.comes(number)[1].key for number in range(4)]
    assert keys == [-1, -2, -3, -4]


def test_who_says_nothing_is_given_up_and_who_left_is_not_looked_at() -> None:
    case = Case()
    (first, wire), (second, other) = case.comes(1), case.comes(2, 1.0)
    assert case.lobby.next_deadline() == HANDSHAKE_SECONDS
    case.lobby.leave(wire)
    assert case.lobby.next_deadline() == HANDSHAKE_SECONDS + 1
    case.lobby.advance(HANDSHAKE_SECONDS + 1)
    assert (first.closed, second.closed) == (False, True)
    assert case.lost == [other.key]
    assert case.lobby.next_deadline() is None


def test_a_dialed_wire_belongs_to_its_torrent_once() -> None:
    case = Case()
    torrent = Torrent(1, HASH, (), case.shared, 0.0)
    _, wire = case.comes(1, torrent=torrent)
    assert case.lobby.leave(wire) is torrent
    assert case.lobby.leave(wire) is None
    _, wire = case.comes(2)
    assert case.lobby.leave(wire) is None


def test_who_is_refused_waits_for_nothing() -> None:
    case, line = Case(), Line("10.0.0.1")
    assert case.lobby.refuse(line, 0.0).state is WireState.CLOSED
    assert line.closed
    assert not case.lobby.wires
    assert case.lobby.next_deadline() is None


def test_of_too_many_the_oldest_goes_but_nobody_whom_we_dialed() -> None:
    case = Case(most=2)
    dialed, _ = case.comes(1, torrent=Torrent(1, HASH, (), case.shared, 0.0))
    lines = []
    for number in (2, 3, 4):
        lines.append(case.comes(number)[0])
        case.lobby.crowd_out(f"10.0.0.{number}")
    assert [line.closed for line in (dialed, *lines)] == [False, True, False, False]


def test_callers_wait_unheard_until_they_are_taken() -> None:
    case = Case()
    ann, bob, cat = case.calls(1), case.calls(2, OTHER), case.calls(3)
    assert ann.receive_buffers() == ()
    taken = case.lobby.take_callers(lambda name: name == HASH)
    assert [(wire, said.info_hash) for wire, said in taken] == [(ann, HASH), (cat, HASH)]
    assert case.lobby.take_callers(lambda name: name == HASH) == []
    assert list(case.lobby.wires.values()) == [bob]


def test_a_caller_waits_no_longer_than_its_handshake_may_take() -> None:
    case = Case()
    case.calls(1)
    case.lobby.advance(HANDSHAKE_SECONDS)
    assert len(case.lost) == 1
    assert case.lobby.take_callers(lambda _: True) == []


def test_a_caller_that_is_crowded_out_is_no_caller_any_more() -> None:
    case = Case(most=1)
    case.calls(1)
    case.comes(2)
    case.lobby.crowd_out("10.0.0.2")
    assert case.lobby.take_callers(lambda _: True) == []


def test_at_the_end_all_are_closed() -> None:
    case = Case()
    line, _ = case.comes(1)
    case.calls(2)
    case.lobby.close()
    assert line.closed
    assert not case.lobby.wires
    assert case.lobby.next_deadline() is None
