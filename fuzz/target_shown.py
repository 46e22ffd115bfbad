# Invariant: of any torrent or link, what `info`, `files` and `magnet` print is lines that a terminal takes for text,
# and JSON that reads back, or they refuse it as what reads it does; an edited torrent has the bytes of the old one but
# where it was changed, and says what was asked for.
"""Fuzz target: what the commands print of torrents and links, and the torrents that they edit."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from bittern.base.errors import BencodeError, BitternError, MagnetError, MetainfoError, RemoteProtocolError
from bittern.cli.commands.files import files
from bittern.cli.commands.info import info
from bittern.cli.commands.magnet import magnet
from bittern.codec.bencode import decode_spans
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.tools.edit import Changes, edit
from bittern.tools.lab.decode import bencode_to_json
from bittern.tools.lab.dissect import aligned, dissect, dissect_info
from bittern.wire.messages import decode_message
from fuzz.driver import Target
from fuzz.target_magnet import TARGET as MAGNET
from fuzz.target_messages import TARGET as MESSAGES
from fuzz.target_metainfo import TARGET as METAINFO
from fuzz.target_store import state_folder

_JOINERS = "\u200c\u200d"
_CHANGES = Changes(add_trackers=[["http://new.example/"]], add_web_seeds=["http://seed.example/"], comment="new")
_CHANGED = {b"announce", b"announce-list", b"url-list", b"comment", b"comment.utf-8"}


def check(data: bytes) -> bool:
    """Show `data`, which is a link if it begins like one."""
    _lines(_decoded(data))
    _taken_apart(data)
    if data[:7].lower() == b"magnet:":
        return _link(data.decode(errors="replace"))
    path = state_folder() / "shown.torrent"
    path.write_bytes(data)
    try:
        metainfo: Metainfo | None = Metainfo.load(path)
    except (BencodeError, MetainfoError):
        metainfo = None
    name = str(path)
    shown = [
        _printed(lambda: info(name)),
        _printed(lambda: files(name)),
        _printed(lambda: magnet(name)),
        _document(lambda: info(name, json=True)),
        _document(lambda: files(name, json=True)),
    ]
    assert shown == [metainfo is not None] * len(shown), f"shown: {shown}"
    if metainfo is None:
        return False
    _lines("\n".join(aligned(dissect_info(metainfo.info.raw))))
    _edited(data, metainfo, path)
    return True


def _link(text: str) -> bool:
    try:
        link: Magnet | None = Magnet.parse(text)
    except MagnetError:
        link = None
    shown = [_printed(lambda: info(text)), _printed(lambda: magnet(text)), _document(lambda: info(text, json=True))]
    assert shown == [link is not None] * len(shown), f"shown: {shown}"
    return link is not None


def _edited(data: bytes, before: Metainfo, path: Path) -> None:
    same, other = edit(data, Changes()), edit(data, _CHANGES)
    _, spans = decode_spans(data, strict=False)
    for new, changed in ((same, set[bytes]()), (other, _CHANGED)):
        _, found = decode_spans(new, strict=False)
        for key in (spans.keys() | found.keys()) - changed:
            assert new[found[key]] == data[spans[key]], f"{key!r} was changed"
    after = Metainfo.from_bytes(other)
    assert after.info.wire_hash == before.info.wire_hash
    assert after.comment == "new"
    assert {url for tier in after.trackers for url in tier} >= {url for tier in before.trackers for url in tier}
    assert "http://new.example/" in [url for tier in after.trackers for url in tier]
    assert "http://seed.example/" in after.web_seeds
    path.write_bytes(other)
    assert edit(other, _CHANGES) == other


def _output(command: Callable[[], object]) -> str | None:
    """What a command prints; None where it refuses."""
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            command()
    except BitternError:
        return None
    return out.getvalue()


def _printed(command: Callable[[], object]) -> bool:
    text = _output(command)
    _lines(text or "")
    return text is not None


def _document(command: Callable[[], object]) -> bool:
    text = _output(command)
    if text is None:
        return False
    assert text.isascii()
    _lines(text)
    json.loads(text)
    return True


def _taken_apart(data: bytes) -> None:
    """As a message of a peer, by `bittern lab --trace`."""
    try:
        said = decode_message(data)
    except RemoteProtocolError:
        return
    _lines("\n".join(aligned(dissect(len(data).to_bytes(4) + data, said))))


def _decoded(data: bytes) -> str:
    try:
        text = bencode_to_json(data)
    except BencodeError:
        return ""
    json.loads(text)
    return text


def _lines(text: str) -> None:
    for line in text.split("\n"):
        assert all(each.isprintable() or each in _JOINERS for each in line), f"{line!r} reaches the terminal"


TARGET = Target(
    "shown",
    corpus=(*METAINFO.corpus, *MAGNET.corpus, *MESSAGES.corpus),
    words=(*METAINFO.words, *MAGNET.words, b"\x1b[31m", b"\xe2\x80\xae", b"\x7f", b"\xc2\x9b", b"\xe2\x80\xa8", b"%0a"),
    check=check,
    edits=METAINFO.edits,
)
