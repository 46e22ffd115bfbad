"""No test of a session leaves a task, a thread or an open file."""

from tests.leaks import leaves_no_task, leaves_nothing_behind

__all__ = ["leaves_no_task", "leaves_nothing_behind"]
