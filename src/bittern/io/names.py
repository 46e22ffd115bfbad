"""Names of hosts to addresses, looked up in threads that nobody has to wait for.

The system's resolver can not be interrupted, and without a network it may take half a minute. The threads of a loop's
executor are waited for when the loop ends; these are not.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, TypeAlias

Found: TypeAlias = list[tuple[Any, ...]]


async def look_up(host: str, port: int | None, *, family: int = 0, kind: int = 0) -> Found:
    """What `socket.getaddrinfo` says, without blocking the loop.

    Args:
        host: a name, or a numeric address.
        port: to be put into the addresses.
        family: of addresses; 0 for any.
        kind: of sockets; 0 for any.

    Raises:
        OSError, UnicodeError: the name is not known, or is none.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Found] = loop.create_future()

    def tell(found: Found | OSError | UnicodeError) -> None:
        if future.done():
            return  # nobody waits any more
        if isinstance(found, list):
            future.set_result(found)
        else:
            future.set_exception(found)

    def ask() -> None:
        found: Found | OSError | UnicodeError
        try:
            found = list(socket.getaddrinfo(host, port, family, kind))
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    return await future
