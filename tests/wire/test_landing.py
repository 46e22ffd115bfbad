"""The landing of a link that asked for nothing."""

import pytest

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire.landing import Landing, NothingLands


def test_where_nothing_was_asked_for_nothing_is_expected_and_every_block_refused() -> None:
    landing: Landing = NothingLands()
    assert (landing.expected(), landing.scattered(), landing.upcoming(0, 0, BLOCK)) == ((), {}, None)
    with pytest.raises(RemoteProtocolError) as refused:
        landing.place(1, BLOCK, 7)
    assert refused.value.offence is Offence.UNASKED_BLOCK
