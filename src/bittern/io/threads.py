"""Threads, and what is said where the system allows no more of them.

A session starts nearly all of its threads when it opens: whoever has too few is told then, and not in the middle of a
download.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

from bittern.base.errors import ThreadLimitError


@contextmanager
def starting() -> Iterator[None]:
    """A thread is started within.

    Raises:
        ThreadLimitError: the system allows no more.
    """
    try:
        yield
    except RuntimeError as error:
        if not ThreadLimitError.means(error):
            raise
        raise ThreadLimitError from error


def pool(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose `count` threads all run from the beginning.

    Raises:
        ThreadLimitError: the system allows fewer.
    """
    threads, together = ThreadPoolExecutor(count, name), Barrier(count)
    try:
        with starting():
            for _ in range(count):
                threads.submit(together.wait)  # nobody is idle before the last of them is there
    except ThreadLimitError:
        together.abort()
        threads.shutdown(cancel_futures=True)
        raise
    return threads
