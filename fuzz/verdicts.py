"""Where bittern and libtorrent do not say the same of a torrent, and why that is right."""

from typing import Final

OURS: Final = "bittern refuses"
THEIRS: Final = "libtorrent refuses"
BOTH: Final = "both take it"
TRAITS: Final = ("private", "a folder of its own")

Kind = tuple[str, str]
"""Who refuses and why: the field that is wrong (ours), or what is said (theirs); or in what both differ."""

_TWO_READINGS: Final = (
    "A field that matters is there and is of the wrong kind, or there are two that contradict each other. libtorrent "
    "takes the first that makes sense to it; another client may take another, and read another torrent from the same "
    "info hash."
)
_NAMES: Final = (
    "Nothing is left of a name once what is unsafe in it is gone. Here such a file is called `_`, and such a torrent "
    "by its info hash; no path outside of the download folder comes of it."
)

EXPLAINED: Final[dict[Kind, str]] = {
    (OURS, "piece layers"): (
        "A file of a version 2 torrent is longer than a piece, and its layer is missing or does not hash to its root. "
        "BEP 52 demands the layers in a .torrent file: without them nothing can be checked. libtorrent takes the "
        "torrent where the layers are missing altogether, and asks peers for them. The magnet link of such a torrent "
        "works here."
    ),
    (OURS, "info.files"): (
        f"{_TWO_READINGS} "
        "Also: the version 1 and version 2 parts of a hybrid list different files, by length, name, order or kind; "
        "libtorrent compares them less closely where one of them is a link or has no name of its own."
    ),
    (OURS, "info.files.length"): "A length that is none. libtorrent takes a huge negative one for 0.",
    (OURS, "info.pieces"): (
        "A torrent with the files of version 1 has no SHA-1 hash for each piece. libtorrent takes a hybrid like that "
        "for a torrent of version 2; then its version 1 hash would name something that nobody can check."
    ),
    (OURS, "info.meta version"): (
        "The version is there and is none that is known, or there is a file tree without a version. libtorrent takes "
        "such a torrent for one of version 1; by a client that knows the version it is another torrent (BEP 52)."
    ),
    (OURS, "info.file tree.length"): "A length that is none. libtorrent takes a huge negative one for 0.",
    (OURS, "info.files.symlink path"): "A link that leads nowhere (BEP 47). libtorrent makes an empty file of it.",
    (OURS, "info.file tree.symlink path"): "A link that leads nowhere (BEP 47). libtorrent makes an empty file of it.",
    (OURS, "bencode"): (
        "A key stands twice inside `info`, or a number is beyond 64 bits (libtorrent takes 0 for it). What counts "
        "then is up to each client, so that two would read two torrents from one info hash."
    ),
    (THEIRS, "missing name in torrent file"): _NAMES,
    (THEIRS, "invalid 'name' of torrent (possible exploit attempt)"): (
        f"{_NAMES} Also: a pad has no path, which BEP 47 allows, or `path.utf-8` makes no sense and `path` does."
    ),
    (THEIRS, "invalid length of torrent"): (
        "A torrent of no bytes at all: empty files. They are made here, and there is nothing to transfer."
    ),
    (THEIRS, "the v1 and v2 file metadata does not match"): (
        "A hybrid whose tree has an empty folder beside its only file: version 1 cannot say that, and no byte lies "
        "elsewhere."
    ),
    (THEIRS, "failed to parse files from torrent file"): (
        "A folder of a tree has properties of its own, of which BEP 52 knows none. They are ignored here."
    ),
    (THEIRS, "invalid bencoding"): (
        "A number or a length has zeros in front. What it says is clear, and the info hash is taken over the bytes."
    ),
    (BOTH, "private"): (
        "`private` is a number other than 0 and 1. BEP 27 says 1; libtorrent takes every other number but 0 for it, "
        "too."
    ),
}


def table() -> str:
    """All of it in Markdown."""
    rows = [f"| {who}: {why} | {text} |" for (who, why), text in EXPLAINED.items()]
    return "\n".join(["| difference | why |", "|---|---|", *rows]) + "\n"
