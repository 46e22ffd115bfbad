"""Take what a campaign found into `fuzz/corpus`: of each target, the smallest inputs that reach all its lines.

`python -m fuzz.tidy` looks at what is there and at what is in `build/corpus`, and leaves in `fuzz/corpus` what reaches
lines that neither the target's own inputs nor smaller ones do.
"""

from fuzz.__main__ import NAMES, target_called
from fuzz.campaign import FOUND
from fuzz.corpus import CORPUS, entries, keep
from fuzz.driver import judge
from fuzz.reach import Reach

MOST_BYTES = 8192
"""Of an input that is kept."""


def tidy(name: str) -> int:
    """Do so for one target; how many inputs are left."""
    target, reach = target_called(name), Reach()
    for data in target.corpus:
        with reach:
            judge(target, data)
    reach.take_fresh()
    known = sorted({*entries(name), *entries(name, FOUND)}, key=lambda data: (len(data), data))
    kept = []
    for data in known:
        with reach:
            _, finding = judge(target, data)
        if reach.take_fresh() and finding is None and len(data) <= MOST_BYTES:
            kept.append(data)
    for path in (CORPUS / name).glob("*"):
        path.unlink()
    for data in kept:
        keep(name, data)
    return len(kept)


if __name__ == "__main__":
    for each in NAMES:
        print(f"{each}: {tidy(each)} inputs", flush=True)
