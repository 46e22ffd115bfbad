"""Names and the addresses that stand for them."""

import pytest

from bittern.base.address import Address, is_alias, is_local
from bittern.engine.swarm.reach import is_unicast
from bittern.wire.proxy import aliases as module
from bittern.wire.proxy.aliases import Aliases


def test_a_name_has_one_alias_that_no_host_has() -> None:
    aliases = Aliases()
    one, other = aliases.alias("a.example"), aliases.alias("b.example")
    assert one != other
    assert aliases.alias("A.Example") == one
    assert (aliases.name(one), aliases.name(other)) == ("a.example", "b.example")
    for host in (one, other):
        assert Address.parse(f"{host}:80").host == host
        assert is_alias(host)
        assert not is_local(host)
        assert not is_unicast(Address(host, 80))


def test_other_addresses_stand_for_themselves() -> None:
    assert [Aliases().name(host) for host in ("240.0.0.1", "192.0.2.1", "::1")] == ["240.0.0.1", "192.0.2.1", "::1"]


def test_the_name_that_was_not_wanted_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    aliases = Aliases()
    one, two = aliases.alias("one"), aliases.alias("two")
    aliases.alias("one")
    three = aliases.alias("three")
    assert [aliases.name(each) for each in (one, two, three)] == ["one", two, "three"]
