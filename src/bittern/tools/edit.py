"""Change what stands beside the info dictionary of a .torrent file; the info hash stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from bittern.codec.bencode import decode_spans, encode
from bittern.codec.metainfo import Metainfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to change. None leaves a field alone; an empty value removes it.

    Lists are first set, then taken from, then replaced in, then added to.

    Attributes:
        trackers: the new tiers.
        add_trackers: tiers to put after those there are.
        remove_trackers: URLs, exactly.
        replace_in_trackers: pairs of a text and what to put in its place in every tracker's URL.
        web_seeds: the new list.
        add_web_seeds: URLs to add.
        remove_web_seeds: URLs, exactly.
        nodes: the new host and port of nodes of the distributed hash table (BEP 5).
        comment: the new comment.
        created_by: the new name of the program.
        creation_date: seconds since 1970; negative removes it.
    """

    trackers: Sequence[Sequence[str]] | None = None
    add_trackers: Sequence[Sequence[str]] = ()
    remove_trackers: Sequence[str] = ()
    replace_in_trackers: Sequence[tuple[str, str]] = ()
    web_seeds: Sequence[str] | None = None
    add_web_seeds: Sequence[str] = ()
    remove_web_seeds: Sequence[str] = ()
    nodes: Sequence[tuple[str, int]] | None = None
    comment: str | None = None
    created_by: str | None = None
    creation_date: int | None = None


def edit(data: bytes, changes: Changes) -> bytes:
    """The .torrent file `data` with `changes`.

    What is not changed, the info dictionary and unknown keys above all, keeps its bytes.

    Raises:
        BencodeError: `data` is no bencode.
        MetainfoError: it is no valid torrent.
    """
    before = Metainfo.from_bytes(data)
    _, spans = decode_spans(data, strict=False)
    raw = {key: data[span] for key, span in spans.items()}
    for key, value in _changed(before, changes).items():
        raw.pop(key, None)
        if value is not None:
            raw[key] = encode(value)
    edited = b"d" + b"".join(encode(key) + raw[key] for key in sorted(raw)) + b"e"
    Metainfo.from_bytes(edited)  # what is written can be read
    return edited


def _changed(before: Metainfo, changes: Changes) -> dict[bytes, object]:
    """New values by key; None where a key is to go."""
    found: dict[bytes, object] = {}
    if changes.trackers is not None or any(
        (changes.add_trackers, changes.remove_trackers, changes.replace_in_trackers)
    ):
        tiers = _new_trackers(before.trackers, changes)
        found[b"announce"] = tiers[0][0] if tiers else None
        found[b"announce-list"] = tiers if sum(map(len, tiers)) > 1 else None
    if changes.web_seeds is not None or changes.add_web_seeds or changes.remove_web_seeds:
        seeds = before.web_seeds if changes.web_seeds is None else changes.web_seeds
        kept = [url for url in seeds if url not in changes.remove_web_seeds]
        found[b"url-list"] = list(dict.fromkeys([*kept, *changes.add_web_seeds])) or None
    if changes.nodes is not None:
        found[b"nodes"] = [list(node) for node in changes.nodes] or None
    for key, text in ((b"comment", changes.comment), (b"created by", changes.created_by)):
        if text is not None:
            found[key + b".utf-8"] = None  # an older spelling, which would win over the new text
            found[key] = text or None
    if changes.creation_date is not None:
        found[b"creation date"] = changes.creation_date if changes.creation_date >= 0 else None
    return found


def _new_trackers(tiers: Sequence[Sequence[str]], changes: Changes) -> list[list[str]]:
    """The tiers after the changes; no URL twice, no tier empty."""
    if changes.trackers is not None:
        tiers = changes.trackers
    kept = [[_replaced(url, changes) for url in tier if url not in changes.remove_trackers] for tier in tiers]
    seen: set[str] = set()
    result: list[list[str]] = []
    for tier in [*kept, *changes.add_trackers]:
        urls = [url for url in dict.fromkeys(tier) if url not in seen]
        seen.update(urls)
        if urls:
            result.append(urls)
    return result


def _replaced(url: str, changes: Changes) -> str:
    for old, new in changes.replace_in_trackers:
        url = url.replace(old, new)
    return url
