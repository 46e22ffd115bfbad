"""Routers that translate addresses: who reaches a host behind each kind."""

import pytest

from bittern.base.address import Address
from bittern.sim.nat import MAPPING_SECONDS, Nat, NatKind

INNER = 51413
KNOWN, SAME_HOST, STRANGER = Address("10.1.1.1", 1), Address("10.1.1.1", 2), Address("10.2.2.2", 1)


@pytest.mark.parametrize(
    ("kind", "let_in"),
    [
        (NatKind.FULL_CONE, {KNOWN, SAME_HOST, STRANGER}),
        (NatKind.RESTRICTED, {KNOWN, SAME_HOST}),
        (NatKind.PORT_RESTRICTED, {KNOWN}),
        (NatKind.SYMMETRIC, {KNOWN}),
    ],
)
def test_each_kind_lets_in_whom_it_should(kind: NatKind, let_in: set[Address]) -> None:
    nat = Nat(kind)
    port = nat.outbound(INNER, KNOWN, 0.0)
    for source in (KNOWN, SAME_HOST, STRANGER):
        assert nat.inbound(port, source, 1.0) == (INNER if source in let_in else None)


@pytest.mark.parametrize("kind", NatKind)
def test_only_a_symmetric_one_has_a_port_for_each_target(kind: NatKind) -> None:
    nat = Nat(kind)
    first, second = nat.outbound(INNER, KNOWN, 0.0), nat.outbound(INNER, STRANGER, 0.0)
    assert (first != second) is (kind is NatKind.SYMMETRIC)
    assert nat.outbound(INNER, KNOWN, 1.0) == first


def test_a_port_that_nothing_was_sent_from_leads_nowhere() -> None:
    nat = Nat(NatKind.FULL_CONE)
    assert nat.inbound(20001, KNOWN, 0.0) is None


def test_a_mapping_that_is_not_used_is_forgotten() -> None:
    nat = Nat(NatKind.FULL_CONE)
    port = nat.outbound(INNER, KNOWN, 0.0)
    assert nat.inbound(port, STRANGER, MAPPING_SECONDS - 1) == INNER
    assert nat.inbound(port, STRANGER, MAPPING_SECONDS) is None
    assert nat.outbound(INNER, KNOWN, MAPPING_SECONDS) != port


def test_whom_nothing_was_sent_to_for_long_is_kept_out_again() -> None:
    nat = Nat(NatKind.RESTRICTED)
    port = nat.outbound(INNER, KNOWN, 0.0)
    nat.outbound(INNER, STRANGER, MAPPING_SECONDS - 1)
    assert nat.inbound(port, KNOWN, MAPPING_SECONDS) is None
    assert nat.inbound(port, STRANGER, MAPPING_SECONDS) == INNER


def test_one_that_keeps_ports_does_so_once() -> None:
    nat = Nat(NatKind.SYMMETRIC, keeps_ports=True)
    assert nat.outbound(INNER, KNOWN, 0.0) == INNER
    assert nat.outbound(INNER, STRANGER, 0.0) == 20001
    assert nat.outbound(INNER, SAME_HOST, 0.0) == 20002
    assert nat.inbound(INNER, KNOWN, 0.0) == INNER
