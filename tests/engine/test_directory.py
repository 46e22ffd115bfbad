"""Names and whom they mean, against a model: a hash of one's own comes before anybody's second one."""

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.tracing import silent
from bittern.engine.directory import Directory
from bittern.engine.dormitory import Dormitory, Sleeper
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.mse.keys import name_mark

NAMES = [InfoHashV1(bytes([number]) * 20) for number in range(5)]


class Register(RuleBasedStateMachine):
    """Torrents with one or two names come, sleep, wake up and go."""

    def __init__(self) -> None:
        super().__init__()
        chance = World(Random, 0).chance("x")
        ours = PeerId(b"-BZ0000-ourselvesxxx")
        self.shared = Shared(EngineSettings(), ours, chance, lambda *_: False, silent)
        self.dormitory = Dormitory(self.shared)
        self.directory = Directory(self.dormitory)
        self.torrents: dict[InfoHashV1, Torrent | None] = {}  # None: it sleeps
        self.also: dict[InfoHashV1, InfoHashV1] = {}

    names = st.sampled_from(NAMES)

    @rule(name=names)
    def comes(self, name: InfoHashV1) -> None:
        if name in self.torrents:
            with pytest.raises(LocalProtocolError):
                self.directory.claim(name)
            return
        self.directory.claim(name)
        torrent = Torrent(NAMES.index(name), name, (), self.shared, 0.0)
        self.directory.enter(torrent)
        self.torrents[name] = torrent
        self.also.pop(name, None)

    @rule(name=names, other=st.none() | names)
    def is_also_called(self, name: InfoHashV1, other: InfoHashV1 | None) -> None:
        if name in self.torrents:
            self.directory.also(other, name)
            if other is not None and other not in self.torrents:
                self.also.setdefault(other, name)

    @precondition(lambda self: self.torrents)
    @rule(data=st.data())
    def falls_asleep(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.torrents)))
        torrent = self.torrents[name]
        if torrent is not None:
            self.directory.leave(torrent)
            self.dormitory.put(Sleeper(NAMES.index(name), name, ()), 0.0)
            self.torrents[name] = None

    @precondition(lambda self: self.torrents)
    @rule(data=st.data())
    def wakes_up(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.torrents)))
        if self.torrents[name] is None:
            self.dormitory.take(name)
            self.directory.claim(name)
            torrent = self.torrents[name] = Torrent(NAMES.index(name), name, (), self.shared, 0.0)
            self.directory.enter(torrent)

    @precondition(lambda self: self.torrents)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.torrents)))
        torrent = self.torrents.pop(name)
        if torrent is not None:
            self.directory.leave(torrent)
        else:
            self.dormitory.take(name)
        for other in [None, *NAMES]:
            self.directory.forget(other, name)
        self.also = {other: own for other, own in self.also.items() if own != name}

    @invariant()
    def every_name_means_whom_the_model_says(self) -> None:
        for name in NAMES:
            own = self.also.get(name, name)
            assert self.directory.own(name) == own
            assert self.directory.awake(name) is self.torrents.get(own)
            assert (name in self.directory) is (name in self.torrents)
            assert self.directory.marked(name_mark(name)) == (name if own in self.torrents else None)


Register.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestRegister = Register.TestCase
