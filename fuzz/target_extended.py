# Invariant: only RemoteProtocolError escapes; all fields are in their documented bounds; what was parsed comes back
# unchanged from its own encoding.
"""Fuzz target: the handshake of the extension protocol."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.extended import MAX_METADATA, ExtendedHandshake
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Parse `data` as the payload of extended message 0."""
    try:
        said = ExtendedHandshake.parse(data)
    except RemoteProtocolError:
        return False
    assert len(said.extensions) <= 100
    assert all(0 <= number <= 255 for number in said.extensions.values())
    assert said.client is None or len(said.client) <= 64
    assert said.port is None or 1 <= said.port <= 65535
    assert said.request_queue is None or said.request_queue >= 1
    assert said.metadata_size is None or 1 <= said.metadata_size <= MAX_METADATA
    again = ExtendedHandshake.parse(said.encode())
    # Names that are not UTF-8 may exceed their bound once the replacement characters are encoded.
    assert "\ufffd" in f"{said}" or again == said
    return True


_KEYS = b"m|p|v|reqq|yourip|ipv4|ipv6|metadata_size|upload_only|e|ut_pex".split(b"|")

TARGET = Target(
    "extended",
    corpus=(
        b"de",
        b"d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e1:v13:bittern/0.1.0e",
        b"d4:ipv44:\x7f\x00\x00\x014:ipv616:0123456789abcdef6:yourip4:\x0a\x00\x00\x0111:upload_onlyi1ee",
        b"d1:mde1:pi65535e6:yourip16:0123456789abcdefejunk",
    ),
    words=(
        *(b"1:m", b"1:v", b"1:p", b"4:reqq", b"6:yourip", b"4:ipv4", b"4:ipv6", b"13:metadata_size"),
        *(
            b"11:upload_only",
            b"1:e",
            b"d",
            b"l",
            b"e",
            b"i0e",
            b"i-1e",
            b"i256e",
            b"i99999999999e",
            b"0:",
            b"4:\xff\xff\xff\xff",
        ),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
