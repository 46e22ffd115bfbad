"""Classes of peers: who is of which, and what they are held to."""

from math import inf

import pytest

from bittern.base.errors import SessionError
from bittern.base.geometry import BLOCK
from bittern.base.transport import Transport
from bittern.engine.swarm.classes import Classes, PeerClass
from bittern.engine.swarm.lanes import Lanes

TCP, UTP = Transport.TCP, Transport.UTP


@pytest.mark.parametrize(
    ("addresses", "transports", "fitting", "others"),
    [
        ((), (), [("8.8.8.8", TCP), ("::1", UTP)], []),
        (("local",), (), [("10.0.0.1", TCP), ("127.0.0.1", UTP), ("fe80::1", TCP)], [("8.8.8.8", TCP)]),
        (("8.8.0.0/16", "2001:db8::/32"), (), [("8.8.8.8", TCP), ("2001:db8::1", UTP)], [("10.0.0.1", TCP)]),
        (("local", "8.8.8.8"), ("utp",), [("8.8.8.8", UTP), ("10.0.0.1", UTP)], [("8.8.8.8", TCP), ("8.8.8.9", UTP)]),
        ((), ("tcp", "utp"), [("8.8.8.8", TCP), ("8.8.8.8", UTP)], []),
    ],
)
def test_who_is_of_a_class(
    addresses: tuple[str, ...],
    transports: tuple[str, ...],
    fitting: list[tuple[str, Transport]],
    others: list[tuple[str, Transport]],
) -> None:
    some = PeerClass(name="some", addresses=addresses, transports=transports)
    assert all(some.fits(*each) for each in fitting)
    assert not any(some.fits(*each) for each in others)


def test_the_first_class_that_fits_counts() -> None:
    near, fast = PeerClass(name="near", addresses=("local",)), PeerClass(name="fast", transports=("tcp",))
    classes = Classes([near, fast])
    assert classes.of("10.0.0.1", TCP) is near
    assert classes.of("8.8.8.8", TCP) is fast
    assert classes.of("8.8.8.8", UTP) is None


def test_all_peers_of_a_class_share_its_limit_beside_their_own() -> None:
    """Whoever takes what the class has leaves nothing to the others of it, and what stands beside still counts."""
    slow = PeerClass(name="slow", up_bytes_per_second=BLOCK)
    classes, torrents = Classes([slow]), (Lanes(), Lanes())
    ann, bob, cat = (Lanes(torrents[which]) for which in (0, 1, 0))
    for lanes in (ann, bob):
        classes.hold(lanes, slow)
    assert ann.up.available(1.0) > 0
    ann.up.take(10 * BLOCK)
    assert (bob.up.available(1.0), bob.down.available(1.0)) == (0.0, inf)
    assert cat.up.available(1.0) == inf
    assert bob.up.ready_at(1.0) > 1.0
    ann.up.give_back(10 * BLOCK)
    assert bob.up.available(bob.up.ready_at(2.0)) > 0  # it had to wait, and waits for its turn


def test_a_class_keeps_what_stood_beside_its_peers_before() -> None:
    slow, mixing = PeerClass(name="slow", up_bytes_per_second=1e9), Lanes()
    mixing.set_limits(None, BLOCK)
    lanes = Lanes()
    lanes.up.beside = mixing.up
    Classes([slow]).hold(lanes, slow)
    assert lanes.up.available(1.0) > 0
    lanes.up.take(10 * BLOCK)
    assert lanes.up.available(1.0) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"addresses": "local"},
        {"addresses": ("nowhere",)},
        {"transports": ("smoke",)},
        {"transports": "tcp"},
        {"down_bytes_per_second": 0.0},
        {"up_bytes_per_second": -1.0},
        {"up_bytes_per_second": float("nan")},
        {"upload_slots": -1},
    ],
)
def test_a_class_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SessionError, match="peer class 'odd'"):
        PeerClass(name="odd", **wrong)  # type: ignore[arg-type]  # wrong on purpose
