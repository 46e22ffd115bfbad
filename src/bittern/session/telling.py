"""What the engine tells of a swarm, in the words of the library."""

from bittern.engine import events as told

from . import events


def public(event: told.Event) -> events.Event | None:
    """The event of the library that says the same; None for what is the session's own business."""
    match event:
        case told.PieceStored(piece=piece):
            return events.PieceStored(piece)
        case told.PieceFailed(piece=piece):
            return events.PieceFailed(piece)
        case told.PeerJoined(address=address, peer_id=peer_id, transport=transport, encrypted=encrypted):
            return events.PeerJoined(address, peer_id, transport, encrypted)
        case told.PeerDropped(address=address, reason=reason, offence=offence):
            return events.PeerDropped(address, reason, offence)
        case told.AddressesBlocked(count=count):
            return events.AddressesBlocked(count)
        case told.TrackerAnswered(url=url, peers=peers, warning=warning):
            return events.TrackerAnswered(url, peers, warning)
        case told.TrackerFailed(url=url, reason=reason, retry_seconds=seconds):
            return events.TrackerFailed(url, reason, seconds)
        case told.WebSeedFailed(url=url, reason=reason, retry_seconds=seconds):
            return events.WebSeedFailed(url, reason, seconds)
        case _:
            return None
