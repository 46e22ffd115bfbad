"""Magnet links (BEP 9, BEP 52, BEP 53)."""

import re
from base64 import b32decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from bittern.base.errors import MagnetError
from bittern.base.ids import InfoHashV1, InfoHashV2

from .paths import safe_name
from .text import clean_url, decode_text

MAX_LENGTH = 128 * 1024
"""Characters of a link."""

MAX_ITEMS = 1000
"""Trackers, web seeds, sources, and peers that are kept."""

MAX_SELECTED = 100_000
"""Files that one link may select."""

_SHA256_MULTIHASH = "1220"

_PEER = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[^\s:/@\[\]]{1,253}):([0-9]{1,5})")
_BARE = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[A-Za-z2-7]{32}")
_HTTP = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Magnet:
    """A link to a torrent by its info hash; at least one of the two hashes is there.

    ```python
    magnet = bittern.Magnet.parse("magnet:?xt=urn:btih:6a81ea252737809dcdd15292e2da7e645123251a&dn=album")
    assert magnet.name == "album"
    print(magnet.wire_hash, magnet.trackers)
    ```

    Attributes:
        info_hash_v1: from `urn:btih` (BEP 9).
        info_hash_v2: from `urn:btmh` (BEP 52).
        name: a safe name to show until the metadata is there (`dn`).
        trackers: URLs (`tr`).
        web_seeds: URLs (`ws`).
        peers: `host:port`, as given (`x.pe`).
        select_only: numbers of the files to download, ascending; empty for all (`so`, BEP 53).
        exact_length: bytes (`xl`).
        exact_sources: where the .torrent may be found (`xs`, `as`), unchecked: what is there may be anything.
    """

    info_hash_v1: InfoHashV1 | None = None
    info_hash_v2: InfoHashV2 | None = None
    name: str | None = None
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    select_only: tuple[int, ...] = ()
    exact_length: int | None = None
    exact_sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.info_hash_v1 is None and self.info_hash_v2 is None:
            raise MagnetError("the link names no BitTorrent info hash (xt=urn:btih: or urn:btmh:)")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a link. Parameters that are unknown or malformed are dropped, but never an info hash.

        Raises:
            MagnetError: not a magnet link, without a valid info hash, with two, or too long.
        """
        text = text.strip()
        if len(text) > MAX_LENGTH:
            raise MagnetError(f"the link is longer than {MAX_LENGTH} characters")
        scheme, colon, query = text.partition(":")
        if scheme.lower() != "magnet" or not colon or not query.startswith("?"):
            raise MagnetError("a magnet link begins with magnet:?")
        given = _parameters(query[1:])
        lengths = [int(xl) for xl in given.get("xl", []) if re.fullmatch("[0-9]{1,18}", xl)]
        names = [name for dn in given.get("dn", []) if (name := safe_name(dn))]
        v1, v2 = _hashes(given.get("xt", []))
        return cls(
            info_hash_v1=v1,
            info_hash_v2=v2,
            name=names[0] if names else None,
            trackers=_some(map(clean_url, given.get("tr", []))),
            web_seeds=_some(map(clean_url, given.get("ws", []))),
            peers=_some([peer for peer in given.get("x.pe", []) if _is_peer(peer)]),
            select_only=_selected(given.get("so", [])),
            exact_length=lengths[0] if lengths else None,
            exact_sources=_some([url for url in given.get("xs", []) + given.get("as", []) if _is_source(url)]),
        )

    @property
    def wire_hash(self) -> InfoHashV1:
        """What handshakes, trackers and the DHT carry: the v1 hash, or the v2 hash truncated (BEP 52)."""
        if self.info_hash_v1 is not None:
            return self.info_hash_v1
        assert self.info_hash_v2 is not None
        return self.info_hash_v2.truncated()

    @property
    def torrent_urls(self) -> tuple[str, ...]:
        """The exact sources that are http or https URLs."""
        return tuple([source for source in self.exact_sources if _HTTP.match(source)])

    def leads_to(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> bool:
        """Whether the torrent with these info hashes is the one: each hash that the link names must be its."""
        return self.info_hash_v1 in (None, v1) and self.info_hash_v2 in (None, v2)

    def to_uri(self) -> str:
        """The link. What `parse` made of a link comes back from it unchanged."""
        parts: list[str] = []
        if self.info_hash_v1 is not None:
            parts.append(f"xt=urn:btih:{self.info_hash_v1}")
        if self.info_hash_v2 is not None:
            parts.append(f"xt=urn:btmh:{_SHA256_MULTIHASH}{self.info_hash_v2}")
        if self.name is not None:
            parts.append(f"dn={quote(self.name, safe='')}")
        if self.exact_length is not None:
            parts.append(f"xl={self.exact_length}")
        parts += [f"tr={quote(url, safe='')}" for url in self.trackers]
        parts += [f"ws={quote(url, safe='')}" for url in self.web_seeds]
        parts += [f"xs={quote(source, safe='')}" for source in self.exact_sources]
        parts += [f"x.pe={quote(peer, safe=':[]')}" for peer in self.peers]
        if self.select_only:
            parts.append(f"so={_ranges(self.select_only)}")
        return "magnet:?" + "&".join(parts)


def magnet_of_hash(digits: str) -> Magnet | None:
    """The barest link: 40 hexadecimal or 32 base32 digits are a v1 info hash, 64 hexadecimal ones a v2 one.

    None for any other text.
    """
    if not _BARE.fullmatch(digits):
        return None
    if len(digits) == 64:
        return Magnet(info_hash_v2=InfoHashV2(_unhex(digits)))
    return Magnet(info_hash_v1=InfoHashV1(_btih(digits)))


def _parameters(query: str) -> dict[str, list[str]]:
    """Unescaped values by key, in order. `tr.1` counts as `tr`; `&amp;` of a link out of HTML as `&`."""
    found: dict[str, list[str]] = {}
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        key = key.lower().removeprefix("amp;")
        stem, dot, number = key.rpartition(".")
        if dot and number.isdigit():
            key = stem
        if key == "dn":
            value = value.replace("+", " ")
        if equals and value:
            raw = unquote_to_bytes(value.encode(errors="surrogatepass"))
            found.setdefault(key, []).append(decode_text(raw))
    return found


def _hashes(topics: Iterable[str]) -> tuple[InfoHashV1 | None, InfoHashV2 | None]:
    v1: set[InfoHashV1] = set()
    v2: set[InfoHashV2] = set()
    for topic in topics:
        kind, digits = topic[:9].lower(), topic[9:]
        if kind == "urn:btih:":
            v1.add(InfoHashV1(_btih(digits)))
        elif kind == "urn:btmh:":
            if len(digits) != 68 or not digits.startswith(_SHA256_MULTIHASH):
                raise MagnetError(f"urn:btmh: takes {_SHA256_MULTIHASH} and 64 hexadecimal digits")
            v2.add(InfoHashV2(_unhex(digits[4:])))
    if len(v1) > 1 or len(v2) > 1:
        raise MagnetError("the link names several torrents")
    return next(iter(v1), None), next(iter(v2), None)


def _btih(digits: str) -> bytes:
    if len(digits) == 40:
        return _unhex(digits)
    # b32decode alone takes padding for digits.
    if not re.fullmatch("[A-Za-z2-7]{32}", digits):
        raise MagnetError(f"urn:btih: takes 40 hexadecimal or 32 base32 digits, this has {len(digits)}")
    return b32decode(digits, casefold=True)


def _unhex(digits: str) -> bytes:
    # bytes.fromhex alone passes over blanks.
    if not re.fullmatch("[0-9A-Fa-f]+", digits):
        raise MagnetError("the info hash is not hexadecimal")
    return bytes.fromhex(digits)


def _some(items: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([item for item in items if item]))[:MAX_ITEMS]


def _is_peer(text: str) -> bool:
    match = _PEER.fullmatch(text)
    return match is not None and text.isprintable() and 0 < int(match[1]) < 65536


def _is_source(text: str) -> bool:
    return text.isprintable() and len(text) <= 4096


def _selected(lists: Iterable[str]) -> tuple[int, ...]:
    """The file numbers of `0,2,4-6`; malformed ranges are dropped."""
    ranges: list[range] = []
    for part in ",".join(lists).split(","):
        first, dash, last = part.partition("-")
        if re.fullmatch("[0-9]{1,7}", first) and re.fullmatch("[0-9]{1,7}", last if dash else first):
            ranges.append(range(int(first), int(last if dash else first) + 1))
    if sum(map(len, ranges)) > MAX_SELECTED:
        raise MagnetError(f"the link selects more than {MAX_SELECTED} files")
    return tuple(sorted({number for numbers in ranges for number in numbers}))


def _ranges(numbers: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
