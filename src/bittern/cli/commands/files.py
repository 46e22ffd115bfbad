"""`bittern files`: the files of a torrent."""

from bittern.cli.arguments import Json
from bittern.cli.failures import UsageError
from bittern.cli.output import format_size, print_json, printable, say
from bittern.cli.sources import read_source
from bittern.codec.magnet import Magnet
from bittern.tools.show import numbered_files


def files(source: str, /, *, json: Json = False) -> None:
    """List the files of a torrent: number (for --select-file), size, path.

    Parameters
    ----------
    source
        A .torrent file.
    json
        Print one JSON document.
    """
    found = read_source(source)
    if isinstance(found, Magnet):
        raise UsageError("a magnet link does not list files; download the torrent, or name a .torrent file")
    numbered = numbered_files(found.info)
    if json:
        rows = [{"number": number, "path": "/".join(file.path), "size": file.length} for number, file in numbered]
        print_json(rows)
        return
    digits = len(str(len(numbered)))
    for number, file in numbered:
        target = "" if file.symlink is None else f" -> {printable('/'.join(file.symlink), 4096)}"
        say(f"{number:>{digits}}  {format_size(file.length):>10}  {printable('/'.join(file.path), 4096)}{target}")
