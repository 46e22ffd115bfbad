"""What happens beside the torrents, told as lines of the command line: a proxy fails, a tunnel goes, a router helps."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import printable

_LOGGERS = {"bittern.proxy": logging.WARNING, "bittern.network": logging.INFO}


@contextmanager
def notices(say: Callable[[str], None]) -> Iterator[None]:
    """Have it said as long as the block lasts."""
    teller = _Teller(say)
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name, level in _LOGGERS.items():
        logging.getLogger(name).addHandler(teller)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).removeHandler(teller)
            logging.getLogger(name).setLevel(level)


class _Teller(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._say(printable(record.getMessage(), 600))
