from math import inf

import pytest

from bittern.base.errors import SessionError
from bittern.cli.failures import UsageError
from bittern.cli.network import Network, session_settings


def test_flags_become_settings() -> None:
    network = Network(
        port=5000, listen=("127.0.0.1", "::1"), max_peers=5, down_limit=1000, up_limit=2000, no_trackers=True
    )
    settings = session_settings(network, sequential=True, ratio=1.5, minutes=2.0)
    assert (settings.port, settings.listen, settings.max_peers) == (5000, ("127.0.0.1", "::1"), 5)
    assert (settings.down_bytes_per_second, settings.up_bytes_per_second) == (1000, 2000)
    assert (settings.use_trackers, settings.sequential) == (False, True)
    assert (settings.seed_ratio, settings.seed_minutes) == (1.5, 2.0)


def test_without_flags_there_are_no_limits() -> None:
    settings = session_settings(Network(), sequential=False, ratio=None, minutes=None)
    assert (settings.port, settings.down_bytes_per_second, settings.use_trackers) == (None, inf, True)


@pytest.mark.parametrize("network", [Network(up_limit=0), Network(port=-1), Network(listen=("x",))])
def test_bad_values_are_refused(network: Network) -> None:
    with pytest.raises((UsageError, SessionError)):
        session_settings(network, sequential=False, ratio=None, minutes=None)
