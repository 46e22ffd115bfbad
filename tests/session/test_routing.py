"""Settings say how a session gets out."""

from bittern.session.routing import route_of
from bittern.session.settings import Settings


def test_connections_are_made_from_where_the_settings_say() -> None:
    assert route_of(Settings(source="127.0.0.1")).sources == ("127.0.0.1",)
    assert route_of(Settings()).sources == ()
