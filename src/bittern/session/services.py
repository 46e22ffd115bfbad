"""What goes on in the background while a session is open."""

from collections.abc import Coroutine, Iterator, Mapping
from functools import partial

from bittern.base.ids import InfoHashV1

from .entry import Entry
from .forwarding import Forwarding
from .parts import Parts, new_peer_id
from .roaming import Roaming
from .seeking import Seeking
from .settings import Settings
from .sweep import Sweep


def services(
    parts: Parts, entries: Mapping[InfoHashV1, Entry], settings: Settings
) -> Iterator[tuple[Coroutine[object, object, None], str]]:
    """What is to run until the session is closed, and what each is called.

    Args:
        parts: of the session.
        entries: its torrents; a live view.
        settings: of the user.
    """
    yield parts.steward.run(), "bittern session"
    if parts.node is not None:
        yield Seeking(entries, parts.waking.awake, parts.surroundings, parts.node).run(), "bittern dht"
    yield parts.whereabouts.run(), "bittern nat"
    if parts.tether is not None:
        yield parts.tether.run(), "bittern interface"
    elif not parts.runtime.doors.local:
        yield Roaming(parts.runtime, partial(new_peer_id, anonymous=settings.anonymous)).run(), "bittern network"
    if settings.port_file is not None or settings.port_command is not None:
        yield Forwarding(parts.whereabouts.move, settings.port_file, settings.port_command).run(), "bittern port"
    if settings.keep_torrents:
        yield Sweep(entries, parts.waking, parts.surroundings).run(), "bittern sweep"
