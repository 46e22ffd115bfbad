"""What goes wrong beside the torrents, told as lines of the command line: a proxy that fails, say."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import printable

_LOGGER = "bittern.proxy"


@contextmanager
def notices(say: Callable[[str], None]) -> Iterator[None]:
    """Have warnings about the proxy said as long as the block lasts."""
    logger, teller = logging.getLogger(_LOGGER), _Teller(say)
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)


class _Teller(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._say(printable(record.getMessage(), 600))
