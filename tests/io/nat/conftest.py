"""As for all of io."""

from tests.io.conftest import leaves_no_task, leaves_nothing_behind, until

__all__ = ["leaves_no_task", "leaves_nothing_behind", "until"]
