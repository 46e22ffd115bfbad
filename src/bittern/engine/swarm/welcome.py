"""What is said first: our handshake, what we speak, which pieces we have (BEP 3, 6, 9, 10)."""

from collections.abc import Callable

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport
from bittern.engine.settings import EngineSettings
from bittern.wire import donthave, holepunch, ut_metadata, ut_pex
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.handshake import Handshake, Reserved

from .peer import Peer
from .priority import Ourselves

UT_PEX = 1
"""The number under which we want to be told of peers."""

UT_METADATA = 2
"""The number under which we want to be sent metadata messages."""

UT_HOLEPUNCH = 4
"""The number under which we want to be told of who is to be met."""

LT_DONTHAVE = 7
"""The number under which we want to be told of pieces that are lost."""

CROSSING_SECONDS = 5.0
"""Two connections of one peer within so long were made at the same time."""

_NO_BITS = Reserved(0)
OUR_BITS = Reserved.FAST | Reserved.LTEP


def our_handshake(info_hash: InfoHashV1, peer_id: PeerId, extra: Reserved = _NO_BITS) -> Handshake:
    """The 68 bytes that we begin with."""
    return Handshake((OUR_BITS | extra).to_bytes(8), info_hash, peer_id)


def crosses(
    twin: Peer, address: Address, our_id: PeerId, rank: Callable[[Address], float | None], *, incoming: bool, now: float
) -> bool:
    """Whether a new connection replaces `twin`, which leads to the same peer.

    When both sides dial each other at once, each must keep the same one of the two connections: that of the higher
    canonical priority where they go by different hosts (BEP 40), else that of the side with the greater id.

    Args:
        twin: the connection that is there.
        address: where the new one leads to.
        our_id: our peer id.
        rank: the priority of a connection with an address, where it is known.
        incoming: whether the other side made the new one.
        now: the time.
    """
    if twin.incoming == incoming or now - twin.joined_at >= CROSSING_SECONDS:
        return False
    if address.host != twin.address.host:  # else only ports could tell them apart, and each side sees others
        here, there = rank(address), rank(twin.address)
        if here is not None and there is not None and here != there:
            return here > there
    return incoming != (our_id > twin.peer_id)


def rouse(peer: Peer) -> None:
    """A peer told what it speaks: over uTP, say any more to it.

    Transmission 3, which is still what many systems have, leaves aside what came in one packet with our handshake
    until the next packet comes: where it dialed us, or the handshake was encrypted, it would not hear what we have for
    minutes.
    """
    if peer.transport is Transport.UTP:
        peer.wire.send_keep_alive()


def describe(
    peer: Peer,
    settings: EngineSettings,
    ourselves: Ourselves,
    metadata_size: int | None,
    *,
    upload_only: bool,
    pex: bool,
) -> None:
    """Say what we speak (BEP 10), all of it: some clients forget what a later handshake does not repeat.

    Args:
        peer: to whom; nothing is said to one that does not speak the extension protocol.
        settings: for names and numbers.
        ourselves: where others reach us.
        metadata_size: bytes of the info dictionary, or None while we do not know it.
        upload_only: we want nothing (BEP 21).
        pex: we want to be told of peers (BEP 11).
    """
    if peer.extended:
        numbers = {ut_metadata.NAME: UT_METADATA, donthave.NAME: LT_DONTHAVE}
        numbers |= {ut_pex.NAME: UT_PEX if pex else 0}  # 0: no longer, or never
        numbers |= {holepunch.NAME: UT_HOLEPUNCH if pex else 0} if settings.utp else {}
        tells = not settings.anonymous
        ours = ExtendedHandshake(
            extensions=numbers,
            client=settings.user_agent or None,
            port=ourselves.port or None,
            request_queue=settings.max_requests_queued,
            your_ip=peer.address.host if tells else None,
            ipv4=ourselves.elsewhere(ipv6=False) if tells and peer.address.is_ipv6 else None,
            ipv6=ourselves.elsewhere(ipv6=True) if tells and not peer.address.is_ipv6 else None,
            metadata_size=metadata_size,
            upload_only=upload_only,
            prefers_encryption=True if settings.encryption_out.methods else None,
        )
        peer.wire.send_extended(HANDSHAKE_EXT_ID, ours.encode())


def introduce(
    peer: Peer,
    settings: EngineSettings,
    ourselves: Ourselves,
    metadata_size: int | None,
    have: Bitfield | None,
    *,
    upload_only: bool,
    pex: bool,
) -> None:
    """Say what we speak and have, to a peer whose handshake came.

    Args:
        peer: to whom.
        settings: for names and numbers.
        ourselves: where others reach us.
        metadata_size: bytes of the info dictionary, or None while we do not know it.
        have: what is stored, or None likewise.
        upload_only: we want nothing (BEP 21).
        pex: we want to be told of peers (BEP 11).
    """
    describe(peer, settings, ourselves, metadata_size, upload_only=upload_only, pex=pex)
    # BEP 6: with the fast extension exactly one of these three comes first; without, nothing means nothing.
    if peer.fast and have is not None and have.complete:
        peer.wire.send_have_all()
    elif have is not None and have.count:
        peer.wire.send_bitfield(bytes(have))
    elif peer.fast:
        peer.wire.send_have_none()
