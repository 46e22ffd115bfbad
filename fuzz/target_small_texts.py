# Invariant: of what a user writes (lists for a tracker, files to choose, proxies), only the error that is documented
# escapes, in one line, and what is understood is in its bounds; what a program says of its port is a port or nothing;
# what a node saved reads back, or only ResumeError escapes.
"""Fuzz target: small texts of users and of earlier runs: lists, numbers of files, proxies, ports, saved nodes."""

from bittern.base.errors import ProxyError, ResumeError
from bittern.cli.failures import UsageError
from bittern.cli.selection import FileChoice
from bittern.engine.dht.state import MAX_SAVED, NodeState
from bittern.session.forwarding import port_in
from bittern.tracker.policy import parse_info_hashes, parse_passkeys, passkey_of
from bittern.wire.proxy.server import MAX_WORD_BYTES, ProxyServer
from fuzz.driver import Target
from fuzz.trees import tree_edit

_JOINERS = "\u200c\u200d"


def check(data: bytes) -> bool:
    """Read `data` as each of them."""
    port = port_in(data)
    assert port is None or 1 <= port <= 65535
    text = data.decode("utf-8", "replace")
    argument = data.decode("utf-8", "surrogateescape")  # as the command line has it
    read = [_hashes(text), _passkeys(text), _nodes(data), _files(argument), _proxy(argument)]
    return any(read) or port is not None


def _hashes(text: str) -> bool:
    try:
        found = parse_info_hashes(text)
    except ValueError as error:
        _one_line(error)
        return False
    assert all(len(each) == 20 for each in found)
    assert parse_info_hashes("\n".join(each.hex() for each in found)) == found
    return bool(found)


def _passkeys(text: str) -> bool:
    try:
        found = parse_passkeys(text)
    except ValueError as error:
        _one_line(error)
        return False
    for each in found:
        assert passkey_of(f"/{each}/announce?info_hash=x") == each
        assert passkey_of(f"/announce?passkey={each}&x=y") == each
    return bool(found)


def _nodes(data: bytes) -> bool:
    try:
        state = NodeState.decode(data)
    except ResumeError:
        return False
    assert len(state.id) == 20
    assert len(state.contacts) <= MAX_SAVED
    assert all(contact.address.port and len(contact.id) == 20 for contact in state.contacts)
    for ipv6 in (False, True):
        family = NodeState(state.id, tuple(each for each in state.contacts if each.address.is_ipv6 is ipv6))
        assert NodeState.decode(family.encode()) == family
    return True


def _files(text: str) -> bool:
    select, *priorities = text.split(" ")
    try:
        choice = FileChoice.parse(select, priorities)
    except UsageError as error:
        reason = str(error)
    else:
        assert choice.select is not None
        assert choice.select == sorted(set(choice.select))
        assert min([*choice.select, *choice.priorities]) >= 0
        assert set(choice.priorities.values()) <= set(range(8))
        return True
    assert _is_a_line(reason)
    return False


def _proxy(text: str) -> bool:
    try:
        server = ProxyServer.parse(text)
    except ProxyError as error:
        reason = str(error)
    else:
        assert 0 < server.place.port < 65536
        assert max(len((server.user or "").encode()), len(server.password.encode())) <= MAX_WORD_BYTES
        assert server.place.host.isascii()
        return True
    assert _is_a_line(reason)
    return False


def _is_a_line(text: str) -> bool:
    return all(each.isprintable() or each in _JOINERS for each in text)


def _one_line(error: ValueError) -> None:
    assert str(error).startswith("line ")
    assert _is_a_line(str(error))


_ID = bytes(range(20))
TARGET = Target(
    "small_texts",
    corpus=(
        b"# ours\n" + b"0123456789abcdefABCD" * 2 + b"  # one\n\n" + b"ab" * 32 + b"\n",
        b"key-1\r\nkey_2 # two\n",
        b"port: 12345\n",
        b"d2:id20:" + _ID + b"5:nodes52:" + _ID + b"\5\6\7\x08\x1a\xe1" + _ID[::-1] + b"\5\6\7\x09\x1a\xe1e",
        b"d2:id20:" + _ID + b"6:nodes638:" + _ID + b"\x20\1" + bytes(14) + b"\x1a\xe1e",
        b"1-3,5 1-3=7 4=0",
        b"socks5://us%40er:pass@[fe80::1%25eth0]:1080/",
        b"http://proxy.example",
    ),
    words=(
        b"%40",
        b"%ff",
        b"socks4a://",
        b":0",
        b"@",
        b"[::1]",
        b"%eth0",
        b"1-1000000",
        b"=7",
        b"9" * 5000,
        b"\xff",
        b"#",
        b"\n",
        b"\r",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"-",
        b"_",
        b"65536",
        b"5:nodes",
        b"6:nodes6",
        b"\0\0",
    ),
    check=check,
    edits=(tree_edit((b"id", b"nodes", b"nodes6")),),
)
