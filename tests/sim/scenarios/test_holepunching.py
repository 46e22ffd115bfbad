"""Peers behind routers that nobody can connect to: which pairs a peer between brings together (BEP 55)."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement
from random import Random

import pytest

from bittern.engine.settings import EngineSettings
from bittern.sim.host import Host
from bittern.sim.nat import Nat, NatKind
from bittern.sim.swarm import Lines, Swarm

OPEN = None
SETTINGS = EngineSettings(utp=True, tcp=False)
KINDS = [OPEN, *NatKind]
HOPELESS = {
    frozenset((NatKind.SYMMETRIC,)),
    frozenset((NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED)),
}
"""Where one side cannot know which port the other will have, and the other lets nobody else in."""


class Three:
    """ann, who has everything, and bob behind routers, and a third between them, who gives nothing."""

    def __init__(
        self,
        seed: int,
        kinds: tuple[NatKind | None, NatKind | None],
        settings: EngineSettings = SETTINGS,
        *,
        keeps_ports: bool = False,
    ) -> None:
        self._keeps_ports = keeps_ports
        self.kinds = dict(zip(("ann", "bob"), kinds, strict=True))
        self.swarm = Swarm(
            Random, seed, seeds=0, leechers=0, size=1 << 18, lines=Lines(), settings=settings, prepare=self._prepare
        )
        content = self.swarm.contents[0]
        self.between = self.swarm.process(
            "between", replace(settings, up_bytes_per_second=100.0, down_bytes_per_second=100.0)
        )
        self.ann, self.bob = self.swarm.process("ann"), self.swarm.process("bob")
        self.between.leech(content)
        self.ann.know(self.ann.seed(content), self.between)
        self.bob.know(self.bob.leech(content), self.between)

    def _prepare(self, host: Host) -> None:
        kind = self.kinds.get(host.name)
        if kind is not None:
            host.natted, host.nat = True, Nat(kind, keeps_ports=self._keeps_ports)

    def completes(self, seconds: float) -> float | None:
        """When bob has everything, which comes from ann if it comes at all."""
        done = self.swarm.world.run(seconds, until=lambda: bool(self.bob.completed))
        return self.swarm.world.now if done else None


@pytest.mark.parametrize("kinds", list(combinations_with_replacement(KINDS, 2)), ids=str)
def test_who_can_be_brought_together_is(
    seed: int, kinds: tuple[NatKind | None, NatKind | None], figure: Callable[[str], None]
) -> None:
    three = Three(seed, kinds)
    hopeless = frozenset(kinds) in HOPELESS
    after = three.completes(240.0)
    names = " and ".join("none" if kind is None else kind.name.lower().replace("_", " ") for kind in kinds)
    figure(f"routers {names}: {'never' if after is None else f'complete after {after:.1f} s'}")
    assert (after is None) is hopeless
    assert after is None or after < 10.0


def test_who_is_connected_over_tcp_can_be_met_where_routers_keep_ports(seed: int) -> None:
    kinds = NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED
    both = EngineSettings(utp=True, tcp=True)
    assert Three(seed, kinds, both, keeps_ports=True).completes(240.0) is not None
    assert Three(seed, kinds, both, keeps_ports=False).completes(240.0) is None


def test_nobody_is_met_without_the_exchange_of_peers(seed: int) -> None:
    kinds = NatKind.FULL_CONE, NatKind.RESTRICTED
    assert Three(seed, kinds, replace(SETTINGS, use_pex=False)).completes(240.0) is None
