"""Inputs as files: in `fuzz/corpus/TARGET` what leads deep, in `fuzz/regressions/TARGET` what once broke something."""

from hashlib import sha256
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
REGRESSIONS = Path(__file__).parent / "regressions"


def entries(target: str, folder: Path = CORPUS) -> list[bytes]:
    """The inputs of `target`, in the order of their names."""
    return [path.read_bytes() for path in sorted((folder / target).glob("*"))]


def keep(target: str, data: bytes, folder: Path = CORPUS) -> Path:
    """Write an input down under a name made of its bytes; where it is."""
    path = folder / target / sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
