"""What is known of one torrent: the source that it was added with, and what peers and the store told since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bittern.base.errors import SessionError
from bittern.base.ids import InfoHashV1
from bittern.codec.layers import Layers
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info, Metainfo

from .journal import Journal
from .options import AddOptions


@dataclass(slots=True)
class Identity:
    """Who a torrent is.

    Attributes:
        source: what it was added with.
        options: how to treat it; a link may say which files are wanted.
        info: what it is made of; None while that is unknown.
        layers: its piece layers by root, as far as they are known (BEP 52).
    """

    source: Metainfo | Magnet
    options: AddOptions
    info: Info | None = field(init=False)
    layers: Mapping[bytes, bytes] = field(init=False)

    def __post_init__(self) -> None:
        source = self.source
        self.info = source.info if isinstance(source, Metainfo) else None
        self.layers = source.piece_layers if isinstance(source, Metainfo) else {}

    @property
    def info_hash(self) -> InfoHashV1:
        """What the wire carries."""
        return self.source.info.wire_hash if isinstance(self.source, Metainfo) else self.source.wire_hash

    @property
    def name(self) -> str:
        """Of the file or root folder; the link's word, or the info hash, while the metadata is unknown."""
        if self.info is not None:
            return self.info.name
        return (self.source.name if isinstance(self.source, Magnet) else None) or str(self.info_hash)

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """All its trackers: those of the user first."""
        source = self.source
        named = source.trackers if isinstance(source, Metainfo) else tuple((url,) for url in source.trackers)
        return (*self.options.trackers, *named)

    @property
    def own_trackers(self) -> frozenset[str]:
        """Those of its trackers that the user named."""
        return frozenset(url for tier in self.options.trackers for url in tier)

    @property
    def web_seeds(self) -> tuple[str, ...]:
        """URLs of servers that have the files (BEP 19)."""
        return self.source.web_seeds

    def learn(self, info: Info) -> None:
        """Take over the info dictionary that peers, or the store, gave for our info hash.

        Raises:
            SessionError: it does not fit both info hashes of the link.
        """
        wanted = self.source
        if isinstance(wanted, Magnet):
            if not wanted.leads_to(info.info_hash_v1, info.info_hash_v2):
                raise SessionError("the magnet link's two info hashes belong to different torrents")
            if self.options.select is None and wanted.select_only:
                self.options.select = _among_files(info, wanted.select_only) or None
        self.info = info

    def enrich(self, found: Metainfo) -> None:
        """Take over from a .torrent file of this torrent what the link does not name: trackers, web seeds, layers."""
        link = self.source
        if isinstance(link, Magnet):
            named = [url for tier in found.trackers for url in tier]
            trackers = tuple(dict.fromkeys((*link.trackers, *named)))
            web_seeds = tuple(dict.fromkeys((*link.web_seeds, *found.web_seeds)))
            self.source = replace(link, trackers=trackers, web_seeds=web_seeds)
        self.layers = self.layers or found.piece_layers

    @property
    def metainfo(self) -> Metainfo | None:
        """As a .torrent file would say it, without layers that are unknown; None before the metadata is there."""
        if isinstance(self.source, Metainfo):
            return self.source
        if self.info is None:
            return None
        return replace(Metainfo.from_info(self.info, self.tiers, self.web_seeds), piece_layers=self.layers)

    @property
    def lacks_layers(self) -> bool:
        """Whether it is of version 2 and some of its piece layers are unknown: a .torrent file has them all."""
        info = self.info
        return info is not None and info.info_hash_v2 is not None and not Layers(info, self.layers).complete

    async def recall(self, journal: Journal) -> tuple[bool, bytes | None]:
        """Read what an earlier run wrote down: whether it knew the torrent, and the progress that it saved.

        Raises:
            BencodeError, MetainfoError: what it wrote down makes no sense.
            SessionError: as `learn`.
        """
        record = await journal.open()
        if self.info is None and record is not None and record.info is not None:
            self.learn(await journal.understand(record.info))
        if self.info is not None and self.info.info_hash_v2 is not None and not self.layers:
            self.layers = await journal.layers(self.info)
        return record is not None, record.resume if record is not None else None


def _among_files(info: Info, numbers: Sequence[int]) -> list[int]:
    """Numbers among all files (BEP 53) as numbers among those without pads; unknown ones are dropped."""
    shown = [number for number, file in enumerate(info.files) if not file.pad]
    among = {number: at for at, number in enumerate(shown)}
    return [among[number] for number in numbers if number in among]
