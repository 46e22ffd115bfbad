"""`bittern magnet`: the magnet link of a torrent."""

from bittern.cli.output import say
from bittern.cli.sources import read_source
from bittern.codec.magnet import Magnet


def magnet(file: str, /) -> None:
    """Print the magnet link of a torrent.

    Parameters
    ----------
    file
        A .torrent file, or an info hash.
    """
    found = read_source(file)
    say((found if isinstance(found, Magnet) else found.to_magnet()).to_uri())
