"""Partners, places and swarms for tests against real clients."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.interop.matrix import Matrix
from tests.interop.rigs.client import Client, Swarm
from tests.interop.rigs.content import Kind
from tests.interop.rigs.place import LOOPBACK, Place, missing_for_namespace, private_network
from tests.interop.rigs.tracker import serve

HERE = Path(__file__).parent
MATRIX = pytest.StashKey[Matrix]()


class OpenSwarm(Protocol):
    """Opens a swarm for some clients, in a place where all of them work."""

    def __call__(self, kind: Kind, *clients: Client) -> Swarm:
        """Skips the test (fails it in CI) when a client is missing."""


def pytest_configure(config: pytest.Config) -> None:
    """An empty table for this run."""
    config.stash[MATRIX] = Matrix()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an interop test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table's facts."""
    default = session.config.rootpath / "build" / "interop.json"
    session.config.stash[MATRIX].write(Path(os.environ.get("BITTERN_INTEROP_JSON", default)))


@pytest.fixture
def matrix(request: pytest.FixtureRequest) -> Matrix:
    """The table of this run."""
    return request.config.stash[MATRIX]


@pytest.fixture(scope="session")
def private_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A network namespace for clients that do not talk to 127.x."""
    require(missing_for_namespace())
    with private_network(tmp_path_factory.mktemp("namespace")) as place:
        yield place


@pytest.fixture
def open_swarm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenSwarm]:
    """Makes swarms that end with the test."""
    with ExitStack() as stack:

        def opened(kind: Kind, *clients: Client) -> Swarm:
            for client in clients:
                require(client.missing())
            private = any(client.private for client in clients)
            place = request.getfixturevalue("private_place") if private else LOOPBACK
            tracker = stack.enter_context(serve(place.listen()))
            return stack.enter_context(Swarm(place, tracker, tmp_path, kind))

        yield opened


def require(missing: str | None) -> None:
    """Skip the test for want of a partner; under BITTERN_CI every partner must be there."""
    if missing is None:
        return
    if os.environ.get("BITTERN_CI"):
        pytest.fail(f"{missing}, and BITTERN_CI is set")
    pytest.skip(missing)
