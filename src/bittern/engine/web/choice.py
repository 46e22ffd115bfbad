"""Which pieces a web seed is to bring next: in long runs, before all what is needed first and what no peer has."""

from bittern.base.geometry import BLOCK
from bittern.engine.download.assembly import EXTENT
from bittern.engine.download.download import Download
from bittern.wire.blocks import Run
from bittern.wire.webseed import FileRange, WebLayout

from .runs import NO_RUN, first_run, long_run, run_from, run_mask
from .seed import WebSeed

_EXTENT_BLOCKS = EXTENT // BLOCK
_RUNS_AT_ONCE = 8


def next_run(download: Download, seed: WebSeed, last: int, *, in_order: bool) -> range:
    """Pieces that nobody has begun: those that are needed first, then those behind `last`, then a long run.

    Args:
        download: what they are for.
        seed: who is to bring them.
        last: the piece that came last over the same connection; -1 for none.
        in_order: the first that are missing instead.
    """
    size = download.have.size
    most = max(1, seed.stretch // download.geometry.piece_size)
    free = download.picker.for_long_runs(~seed.lacks)
    for piece in download.urgent.in_order():
        if piece in download.picker and (run := run_from(free, size, piece, most)):
            return run
    if in_order or seed.rangeless:
        return first_run(free, size, most)
    following = run_from(free, size, last + 1, most)
    if len(following) == most:
        return following
    longest = long_run(free, size, most, max(0, last))
    return following if 2 * len(following) >= len(longest) else longest


def passing_run(download: Download, seed: WebSeed, at: int, until: int) -> range:
    """Pieces that nobody has begun, of those whose bytes come from `at` to `until` whatever was asked for."""
    geometry, size = download.geometry, download.have.size
    first = -(-at // geometry.piece_size)
    stop = -(-until // geometry.piece_size)
    if stop <= first:
        return NO_RUN
    free = download.picker.for_long_runs(run_mask(first, stop, size) & ~seed.lacks)
    return first_run(free, size, max(1, seed.stretch // geometry.piece_size))


def rest_of_begun(download: Download, seed: WebSeed, *, alone: bool) -> list[Run]:
    """Blocks, asked for now, of pieces that others began; none where there are no such pieces.

    Args:
        download: what they are for.
        seed: who is to bring them.
        alone: whether there are no peers: then also of what one peer was to bring.
    """
    assembly = download.assembly
    runs: list[Run] = []
    for piece, opened in list(assembly.askable.items()):
        if opened.owner is not None or (opened.left_to is not None and not alone):
            continue
        if run_from(seed.lacks, download.have.size, piece, 1) or not (opened.free or assembly.make_room()):
            continue
        while len(runs) < _RUNS_AT_ONCE and (run := assembly.allot(piece, _EXTENT_BLOCKS)) is not None:
            runs.append(run)
    return sorted(runs, key=lambda run: (run.piece, run.first))


def ranges_of(download: Download, layout: WebLayout, runs: list[Run]) -> list[FileRange]:
    """The parts of files that make up runs of blocks."""
    offset = download.geometry.offset
    parts: list[FileRange] = []
    for run in runs:
        length = (run.count - 1) * BLOCK + len(run.bodies[-1])
        parts += layout.ranges(offset(run.piece, run.first * BLOCK), length)
    return parts
