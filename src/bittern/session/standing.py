"""Where one torrent stands: its state, and the changes of state that its swarm feels or causes."""

from bittern.engine.torrent import Torrent as Swarm

from . import events
from .membership import Membership
from .status import State


class Standing:
    """The state of one torrent.

    Args:
        membership: its place in the core.
        publisher: tells its listeners.

    Attributes:
        state: as it is told.
    """

    def __init__(self, membership: Membership, publisher: events.Publisher) -> None:
        self.state = State.CHECKING
        self._membership = membership
        self._publisher = publisher

    @property
    def swarm(self) -> Swarm | None:
        """Its swarm, while it has one."""
        return self._membership.swarm

    def enter(self, state: State) -> None:
        """It is in `state` from now on."""
        if state is not self.state:
            self.state = state
            self._publisher.publish(events.StateChanged(state))
        self._publisher.wake()

    def enter_swarm(self) -> None:
        """It is in the state that is its swarm's: it seeks metadata, has something to fetch, or has not."""
        download = self.swarm.download if self.swarm is not None else None
        if download is None:
            self.enter(State.METADATA)
        else:
            self.enter(State.SEEDING if download.complete else State.DOWNLOADING)

    def speak(self) -> None:
        """Take part in the swarm again."""
        self._membership.speak()
        self.enter_swarm()

    def leave(self, state: State) -> None:
        """Be silent in the swarm, in `state`."""
        self._membership.hush()
        self.enter(state)
