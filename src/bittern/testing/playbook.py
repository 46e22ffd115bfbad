"""A test as a script of the protocol: actors play the peers of one torrent, the engine plays itself.

There is no socket and no waiting: all that follows from a line of the script happens before the next line.
Time passes only in `waits`. The engine's invariants are checked after every line.

    with Playbook(pieces=1) as play:
        play.joins("ann", have="1").joins("bob", have="1")
        play.unchokes("ann").expect("ann", Request(0, 0, BLOCK))
        play.unchokes("bob").rejects("ann", 0).expect("bob", Request(0, 0, BLOCK))
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import Self

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence
from bittern.base.geometry import BLOCK
from bittern.engine.events import Event, PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent
from bittern.sim.content import make_content
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.handshake import Reserved
from bittern.wire.messages import (
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    Message,
    NotInterested,
    Piece,
    Reject,
    Request,
    Unchoke,
)

from .actor import Actor


class Playbook:
    """One torrent of one engine, and the actors that play its peers.

    ```python
    from bittern.testing import Playbook
    from bittern.wire.messages import Request

    with Playbook(pieces=1, blocks=1) as play:
        play.joins("ann", have="1").unchokes("ann")
        play.expect("ann", Request(0, 0, 16384))
        play.gives("ann", 0)
        assert play.have == "1"
    ```

    Args:
        pieces: how many the torrent has.
        blocks: of 16 KiB in each piece.
        short: bytes by which the last block is shorter.
        have: the pieces that the engine has at the start, as in `joins`.
        magnet: the engine begins without the metadata.
        super_seed: it has everything, and shows its pieces one by one (BEP 16).
        settings: of the engine.
        seed: of its chance.
    """

    def __init__(
        self,
        pieces: int = 1,
        blocks: int = 1,
        *,
        short: int = 0,
        have: str = "",
        magnet: bool = False,
        super_seed: bool = False,
        settings: EngineSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.world = World(Random, seed)
        self.network = Network(self.world)
        self.content = make_content(self.world, size=pieces * blocks * BLOCK - short, piece_size=blocks * BLOCK)
        settings = settings or EngineSettings(listen_port=PORT)
        host = self.network.host("engine")
        host.latency = 0.0
        self.process = SimProcess(host, Web(), settings)
        self.process.strict = True
        self.actors: dict[str, Actor] = {}
        self.torrent: Torrent = self._begin(have, magnet=magnet, super_seed=super_seed)
        self._step()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._step()

    # ------------------------------------------------------------------ what the engine is and did

    @property
    def have(self) -> str:
        """The pieces that the engine has stored: "1" or "0" for each; empty before the metadata is known."""
        download = self.torrent.download
        if download is None:
            return ""
        return "".join("1" if piece in download.have else "0" for piece in range(download.have.size))

    @property
    def events(self) -> list[Event]:
        """All that the engine told."""
        return [event for _, event in self.process.events]

    def block(self, piece: int, begin: int = 0, length: int | None = None) -> Piece:
        """The message with the right bytes; `length` is that of the whole block if not given."""
        geometry = self.content.info.geometry
        length = geometry.block_length(piece, begin // BLOCK) if length is None else length
        offset = geometry.offset(piece, begin)
        return Piece(piece, begin, self.content.data[offset : offset + length])

    # ------------------------------------------------------------------ what actors do

    def joins(
        self,
        name: str,
        have: str = "",
        *,
        fast: bool = True,
        dialed: bool = False,
        extensions: Mapping[str, int] | None = None,
        node: bool = False,
    ) -> Self:
        """An actor connects and shakes hands; what the engine says at that is its greeting, see `greeting`.

        Args:
            name: unique in the script, at most 12 characters.
            have: "1" or "0" for each piece, "all", or empty for none.
            fast: it speaks the fast extension (BEP 6).
            dialed: the engine connects to it, not it to the engine.
            extensions: names and numbers of its extension handshake (BEP 10); None: it speaks no extensions.
            node: its handshake says that it runs a node of the distributed hash table (BEP 5).
        """
        bits = (Reserved.FAST if fast else Reserved(0)) | (Reserved(0) if extensions is None else Reserved.LTEP)
        bits |= Reserved.DHT if node else Reserved(0)
        host = self.network.host(name)
        host.latency = 0.0
        actor = self.actors[name] = Actor.on(host, self.content.info.wire_hash, bits.to_bytes(8))
        actor.say(actor.hello.encode() + self._first_words(have, fast=fast))
        if extensions is not None:
            hello = ExtendedHandshake(extensions=dict(extensions), metadata_size=len(self.content.info.raw))
            actor.say(Extended(HANDSHAKE_EXT_ID, hello.encode()).encode())
        if dialed:
            host.acceptor = actor
            self.torrent.add_candidates([host.address], Source.MANUAL, self.world.now)
            self.process.host.touch()
        else:
            self.network.connect(host, self.process.host.address, actor.connected, lambda _: None)
        self._step()
        self._greetings[name] = actor.take_heard()
        return self

    def says(self, name: str, *messages: Message) -> Self:
        """Any messages, in one go."""
        self.actors[name].say(b"".join(message.encode() for message in messages))
        return self._step()

    def says_raw(self, name: str, data: bytes) -> Self:
        """Any bytes."""
        self.actors[name].say(data)
        return self._step()

    def chokes(self, name: str) -> Self:
        """BEP 3."""
        return self.says(name, Choke())

    def unchokes(self, name: str) -> Self:
        """BEP 3."""
        return self.says(name, Unchoke())

    def is_interested(self, name: str) -> Self:
        """BEP 3."""
        return self.says(name, Interested())

    def loses_interest(self, name: str) -> Self:
        """BEP 3."""
        return self.says(name, NotInterested())

    def has(self, name: str, piece: int) -> Self:
        """It has one more piece."""
        return self.says(name, Have(piece))

    def asks(self, name: str, piece: int, begin: int = 0, length: int = BLOCK) -> Self:
        """It requests a block of the engine."""
        return self.says(name, Request(piece, begin, length))

    def cancels(self, name: str, piece: int, begin: int = 0, length: int = BLOCK) -> Self:
        """It takes a request back."""
        return self.says(name, Cancel(piece, begin, length))

    def rejects(self, name: str, piece: int, begin: int = 0, length: int = BLOCK) -> Self:
        """It refuses a request of the engine (BEP 6)."""
        return self.says(name, Reject(piece, begin, length))

    def gives(self, name: str, piece: int, begin: int = 0) -> Self:
        """It sends the right block."""
        return self.says(name, self.block(piece, begin))

    def lies(self, name: str, piece: int, begin: int = 0) -> Self:
        """It sends a block of wrong bytes."""
        right = self.block(piece, begin)
        return self.says(name, replace(right, block=bytes(byte ^ 0xFF for byte in right.block)))

    def leaves(self, name: str) -> Self:
        """It closes the connection."""
        link = self.actors[name].link
        assert link is not None, f"{name} is not connected"
        link.close()
        return self._step()

    def waits(self, seconds: float) -> Self:
        """Time passes."""
        self.world.run(seconds)
        return self._step()

    # ------------------------------------------------------------------ what must have come of it

    def greeting(self, name: str) -> list[Message]:
        """What the engine said to an actor when it joined, after the handshake."""
        return self._greetings[name]

    def heard(self, name: str) -> list[Message]:
        """What the engine said to an actor and the script did not ask for yet; it counts as asked for now."""
        return self.actors[name].take_heard()

    def expect(self, name: str, *messages: Message) -> Self:
        """The engine said exactly this to an actor since the last `expect`, or since it joined."""
        heard = self.heard(name)
        assert heard == list(messages), f"{name} heard {heard}, not {list(messages)}\n{self.world.trace.tail(20)}"
        return self

    def expect_drop(self, name: str, offence: Offence | None = None) -> Self:
        """The engine closed the connection to an actor; because of `offence`, if that is given."""
        actor = self.actors[name]
        assert actor.lost_by is not None, f"{name} is still connected"
        host = actor.host.address.host
        drops = [event for event in self.events if isinstance(event, PeerDropped) and event.address.host == host]
        assert drops, f"nothing was told of the end of {name}"
        if offence is not None:
            assert drops[-1].offence, f"{name} was dropped without blame: {drops[-1].reason}"
            assert drops[-1].reason.startswith(offence.value), f"{name} was dropped: {drops[-1].reason}"
        return self

    # ------------------------------------------------------------------ machinery

    def _begin(self, have: str, *, magnet: bool, super_seed: bool) -> Torrent:
        self._greetings: dict[str, list[Message]] = {}
        if magnet:
            return self.process.magnet(self.content)
        if super_seed:
            return self.process.super_seed(self.content)
        return self.process.hold(self.content, self._pieces(have))

    def _step(self) -> Self:
        """All that follows happens."""
        self.world.run(0.0)
        wrong = self.process.wrong_pieces()
        assert not wrong, f"the engine believes to have {wrong}"
        return self

    def _pieces(self, have: str) -> Bitfield:
        count = self.content.info.geometry.piece_count
        if have == "all":
            return Bitfield.full(count)
        assert len(have) in (0, count), f"{have!r} are not {count} pieces"
        return Bitfield(count, (piece for piece, bit in enumerate(have) if bit == "1"))

    def _first_words(self, have: str, *, fast: bool) -> bytes:
        pieces = self._pieces(have)
        if fast and pieces.complete:
            return HaveAll().encode()
        if not pieces:
            return HaveNone().encode() if fast else b""
        return BitfieldMessage(bytes(pieces)).encode()
