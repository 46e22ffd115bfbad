"""One line with TCP and uTP on it, in virtual time: what each gets, second by second."""

from math import exp, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.throttle import Throttle
from bittern.base.transport import Transport
from bittern.engine.mixing import LEAST_BYTES_PER_SECOND, LOOK_SECONDS, PATIENCE, REST_SECONDS, Flows, Mixing, Squeeze
from bittern.engine.swarm.lanes import Lanes
from bittern.engine.swarm.peer import Peer
from tests.engine.peers import Line, make_peer

LINE = 2_500_000.0
"""Bytes a second: 20 Mbit/s."""


def share(
    tcp: int, utp: int, seconds: int, utp_most: float = inf, rise: float = 100_000.0
) -> tuple[list[float], list[float]]:
    """What both move in each second: TCP all it may, uTP what is left, some seconds later.

    Args:
        tcp: how many connections.
        utp: how many connections.
        seconds: of the run.
        utp_most: more they could not take, whatever is free.
        rise: so much faster they may become in a second.
    """
    squeeze, weight = Squeeze(), 1 - exp(-1 / 5)
    tcp_rate = utp_rate = tcp_seen = utp_seen = 0.0
    tcp_moved, utp_moved = [], []
    for now in range(seconds):
        tcp_rate = min(LINE * 0.99, squeeze.limit)
        utp_rate = min(LINE - tcp_rate, utp_most, utp_rate + rise)
        tcp_seen += (tcp_rate - tcp_seen) * weight
        utp_seen += (utp_rate - utp_seen) * weight
        squeeze.adjust(Flows(tcp, tcp_seen), Flows(utp, utp_seen), float(now))
        tcp_moved.append(tcp_rate)
        utp_moved.append(utp_rate)
    return tcp_moved, utp_moved


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(("tcp", "utp"), [(1, 1), (5, 5), (20, 2), (2, 20)])
@pytest.mark.parametrize("rise", [30_000.0, 1e6])
def test_utp_gets_its_part_within_two_minutes_and_the_line_stays_full(tcp: int, utp: int, rise: float) -> None:
    tcp_moved, utp_moved = share(tcp, utp, 600, rise=rise)
    part = LINE * utp / (tcp + utp)
    assert mean(utp_moved[120:]) >= 0.75 * part
    assert mean(utp_moved[120:]) <= 1.2 * part
    assert mean([a + b for a, b in zip(tcp_moved, utp_moved, strict=True)][120:]) >= 0.93 * LINE


def test_utp_that_is_slow_for_other_reasons_costs_tcp_next_to_nothing() -> None:
    tcp_moved, _ = share(5, 5, 3600, utp_most=50_000.0)
    assert mean(tcp_moved) >= 0.98 * LINE * 0.99
    assert min(tcp_moved) >= 0.7 * LINE


def test_tcp_is_let_go_as_soon_as_no_utp_wants_anything() -> None:
    squeeze = Squeeze()
    limits = [squeeze.adjust(Flows(5, 1e6), Flows(5, 1e3), now) for now in (0.0, LOOK_SECONDS - 1, LOOK_SECONDS)]
    assert limits == [inf, inf, 0.85e6]
    assert squeeze.adjust(Flows(5, 1e6), Flows(), LOOK_SECONDS + 1) == inf


def test_help_that_was_of_no_use_is_given_again_only_after_a_rest() -> None:
    squeeze, held = Squeeze(), []
    for now in range(int(7 * LOOK_SECONDS + 3 * REST_SECONDS + 20)):
        limit = squeeze.adjust(Flows(5, min(1e6, squeeze.limit)), Flows(5, 1e3), float(now))
        held.append(limit < inf)
    begins = [now for now in range(1, len(held)) if held[now] and not held[now - 1]]
    help_seconds = PATIENCE * LOOK_SECONDS
    first, second = LOOK_SECONDS, LOOK_SECONDS + help_seconds + REST_SECONDS
    third = second + help_seconds + 2 * REST_SECONDS
    assert begins == [first, second, third]
    assert held.count(True) == 2 * help_seconds + len(held) - third


RATES = st.floats(0, 1e8)


@given(st.lists(st.tuples(st.integers(0, 9), RATES, st.integers(0, 9), RATES, st.integers(1, 30)), max_size=20))
def test_tcp_is_never_held_to_less_than_its_own_part(steps: list[tuple[int, float, int, float, int]]) -> None:
    squeeze, now = Squeeze(), 0.0
    for tcp, tcp_rate, utp, utp_rate, seconds in steps:
        now += seconds
        before = squeeze.limit
        limit = squeeze.adjust(Flows(tcp, tcp_rate), Flows(utp, utp_rate), now)
        if not (tcp and utp):
            assert limit == inf
        elif limit < before:
            assert limit >= (tcp_rate + utp_rate) * tcp / (tcp + utp) * (1 - 1e-9)
            assert limit >= LEAST_BYTES_PER_SECOND


def peer_at(number: int, host: str, transport: Transport) -> Peer:
    peer = make_peer(number)
    line = peer.wire.link
    assert isinstance(line, Line)
    line.transport = transport
    peer.address = peer.address._replace(host=host)
    peer.am_choking, peer.peer_interested = False, True
    peer.lanes = Lanes(Lanes())
    return peer


def moved(peer: Peer, rate: float, now: float) -> None:
    """It was served so fast until now."""
    peer.uploads.sent = int(rate * now)


def test_all_torrents_together_are_looked_at_and_the_local_network_is_left_out() -> None:
    mixing = Mixing()
    fast, near = peer_at(1, "93.184.216.34", Transport.TCP), peer_at(2, "192.168.1.7", Transport.TCP)
    slow = peer_at(3, "93.184.216.35", Transport.UTP)
    for peer in (fast, near, slow):
        mixing.enter(peer)
    assert [peer.lanes.up.beside is not None for peer in (fast, near, slow)] == [True, False, False]
    for second in range(17):
        moved(fast, 1e6, second)
        mixing.look("one", [fast, near], float(second))
        mixing.look("other", [slow], float(second))
    assert mixing.tcp.up.limit == pytest.approx(0.85e6, rel=0.1)
    assert mixing.tcp.down.limit == inf
    beside = fast.lanes.up.beside
    assert isinstance(beside, Throttle)
    assert beside.above is mixing.tcp.up
    mixing.look("one", [fast, near], 60.0)
    assert mixing.tcp.up.limit == inf
