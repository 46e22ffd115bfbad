from typing import get_args

import pytest

from bittern.base.address import Address
from bittern.base.ids import PeerId
from bittern.base.transport import Transport
from bittern.engine import events as told
from bittern.session import events
from bittern.session.telling import public

ANN = Address("10.0.0.1", 1)
ID = PeerId(bytes(20))
SAYINGS: list[tuple[told.Event, events.Event | None]] = [
    (told.PieceStored(0, 3), events.PieceStored(3)),
    (told.PieceFailed(0, 3), events.PieceFailed(3)),
    (told.PeerJoined(0, ANN, ID), events.PeerJoined(ANN, ID)),
    (
        told.PeerJoined(0, ANN, ID, Transport.UTP, encrypted=True),
        events.PeerJoined(ANN, ID, Transport.UTP, encrypted=True),
    ),
    (told.PeerDropped(0, ANN, "bye", False), events.PeerDropped(ANN, "bye", offence=False)),
    (told.AddressesBlocked(0, 3), events.AddressesBlocked(3)),
    (told.TrackerAnswered(0, "http://t", 2, "w"), events.TrackerAnswered("http://t", 2, "w")),
    (told.TrackerFailed(0, "http://t", "no", 5.0), events.TrackerFailed("http://t", "no", 5.0)),
    (told.WebSeedFailed(0, "http://w", "no", 5.0), events.WebSeedFailed("http://w", "no", 5.0)),
    (told.Completed(0), None),
]


@pytest.mark.parametrize(("event", "said"), SAYINGS)
def test_what_users_are_told_is_what_the_engine_said(event: told.Event, said: events.Event | None) -> None:
    assert public(event) == said


def test_every_public_saying_is_an_event_of_the_library() -> None:
    assert {type(said) for _, said in SAYINGS if said is not None} <= set(get_args(events.Event))
