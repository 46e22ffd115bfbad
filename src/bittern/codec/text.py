"""Text out of torrents: UTF-8 by the standard, and what older programs wrote instead."""

MAX_URL = 4096
"""Characters of a URL that is kept."""

_LEGACY = frozenset(
    {"gbk", "gb2312", "gb18030", "big5", "big5-hkscs", "shift-jis", "sjis", "cp932", "euc-jp", "euc-kr", "cp949"}
    | {"tis-620", "koi8-r", "koi8-u", "ascii", "latin-1"}
    | {f"{family}{number}" for family in ("windows-", "cp") for number in range(1250, 1259)}
    | {f"iso-8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)}
)
# An `encoding` key may not choose freely: idna and punycode take quadratic time, others are not text at all.


def decode_text(raw: bytes, encoding: str | None = None) -> str:
    """`raw` as text; never fails.

    Args:
        raw: the bytes, UTF-8 if all is well.
        encoding: what the torrent's `encoding` key says, tried when it is not UTF-8. Latin-1, which maps
            every byte, comes last: other bytes stay other names.
    """
    legacy = encoding.lower().replace("_", "-") if encoding else ""
    for codec in ("utf-8", legacy) if legacy in _LEGACY else ("utf-8",):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def clean_url(text: str) -> str | None:
    """`text` as an absolute URL with its spaces escaped; None when it is none or not printable.

    Which schemes may be used is decided where a URL is used.
    """
    url = text.strip().replace(" ", "%20")
    scheme, separator, rest = url.partition("://")
    usable = separator and rest and scheme.isascii() and scheme.isalnum() and url.isprintable()
    return url if usable and len(url) <= MAX_URL else None
