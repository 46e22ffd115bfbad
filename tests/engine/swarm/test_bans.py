"""Bans against a naive list."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.swarm.bans import Bans

hosts = st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"])
steps = st.lists(
    st.tuples(st.sampled_from("bu"), hosts, st.sampled_from([5.0, 20.0, inf]), st.floats(0, 10)), max_size=30
)


@given(steps)
def test_a_host_is_banned_until_the_latest_of_its_bans_ends_or_it_is_unbanned(
    steps: list[tuple[str, str, float, float]],
) -> None:
    bans, model, now = Bans(), dict[str, float](), 0.0
    for step, host, seconds, wait in steps:
        now += wait
        model = {known: until for known, until in model.items() if until > now}
        if step == "b":
            bans.banned(host, now)
            bans.ban(host, now + seconds)
            model[host] = max(model.get(host, 0.0), now + seconds)
        else:
            was = bans.banned(host, now)
            assert bans.unban(host) == was == (host in model)
            model.pop(host, None)
        assert bans.all(now) == model
        for known in ("10.0.0.1", "10.0.0.2", "2001:db8::1"):
            assert bans.banned(known, now) == (known in model)
            assert bans.until(known) == model.get(known, 0.0)


def test_each_change_is_seen_by_the_revision() -> None:
    bans = Bans()
    seen = [bans.revision]
    for change in (lambda: bans.ban("10.0.0.1"), lambda: bans.ban("10.0.0.1", 5.0), lambda: bans.unban("10.0.0.1")):
        change()
        seen.append(bans.revision)
    assert len(set(seen)) == 4
    bans.banned("10.0.0.1", 1.0)
    bans.all(1.0)
    assert bans.revision == seen[-1]
