"""Names of this machine, and those that are none."""

import pytest

from bittern.engine.effects import Resolve
from bittern.io.resolver import SystemResolver
from bittern.io.route import DIRECT
from bittern.io.tasks import Tasks
from bittern.io.turn import Turn
from tests.io.conftest import Until


class Engine:
    """The part of a core that hears of look-ups."""

    def __init__(self) -> None:
        self.heard: dict[int, tuple[str, ...]] = {}

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        self.heard[ticket] = hosts


@pytest.mark.parametrize(
    ("host", "ipv6", "expected"),
    [
        ("127.0.0.1", False, ("127.0.0.1",)),
        ("127.0.0.1", True, ()),
        ("::1", True, ("::1",)),
        ("::1", False, ()),
        ("localhost", False, ("127.0.0.1",)),
        ("x" * 300, False, ()),
        ("a..b", False, ()),
        ("", False, ()),
    ],
)
async def test_a_name_is_looked_up_by_one_family(
    host: str,
    ipv6: bool,  # noqa: FBT001 - a parameter
    expected: tuple[str, ...],
    turn: Turn,
    until: Until,
) -> None:
    engine, tasks = Engine(), Tasks()
    resolver = SystemResolver(turn, engine, tasks, DIRECT)
    resolver.resolve(Resolve(7, host, ipv6=ipv6))
    await until(lambda: bool(engine.heard))
    assert engine.heard == {7: expected}
    await tasks.close()
