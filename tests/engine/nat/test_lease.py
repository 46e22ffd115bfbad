from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.nat.lease import LIFETIME_SECONDS, MOST_RENEWAL, Wish, renewal_seconds, wishes_for
from bittern.wire.pcp import Carrier


@given(st.integers(0, 2**32 - 1))
def test_a_renewal_comes_before_the_end_but_not_in_a_hurry(lifetime: int) -> None:
    assert 30 <= renewal_seconds(lifetime) <= MOST_RENEWAL
    assert lifetime < 60 or renewal_seconds(lifetime) <= lifetime / 2


def test_a_router_that_was_restarted_is_asked_within_a_quarter_of_an_hour() -> None:
    assert renewal_seconds(LIFETIME_SECONDS) == 900


def test_tcp_comes_first_and_what_is_not_listened_on_is_not_wished() -> None:
    assert wishes_for(5, 6) == [Wish(Carrier.TCP, 5, 5), Wish(Carrier.UDP, 6, 6)]
    assert wishes_for(0, 6, external=9) == [Wish(Carrier.UDP, 6, 9)]
