"""How a session gets out, as its settings say."""

from bittern.io.route import Route

from .settings import Settings


def route_of(settings: Settings) -> Route:
    """The way of everything that a session with these settings sends."""
    return Route(*([settings.source] if settings.source is not None else []))
