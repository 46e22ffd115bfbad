"""The session of a command: open, unless the user has had enough before that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bittern.session.session import Session
from bittern.session.settings import Settings

from .filtering import told_at_the_end
from .reports import Report
from .transfer import unless_stopped


@asynccontextmanager
async def opened(settings: Settings, stop: asyncio.Event, report: Report) -> AsyncIterator[Session]:
    """An open session. To open one may take long: lists of an IP filter are fetched before anything else is done.

    Args:
        settings: of the session.
        stop: set when the user has enough.
        report: is told of its IP filter.

    Raises:
        StoppedError: the user stopped it before it was open.
        BitternError, OSError: as `Session.open`.
    """
    session = Session(settings)
    try:
        await unless_stopped(session.open(), stop)
        async with told_at_the_end(session, report):
            yield session
    finally:
        await session.close()
