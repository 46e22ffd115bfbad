"""All rows, in the order in which they run: a tuple for each family, which has a module of its own."""

from drill.clock import ROWS as CLOCK
from drill.configs import ROWS as CONFIGS
from drill.crossing import ROWS as CROSSING
from drill.descriptors import ROWS as DESCRIPTORS
from drill.endings import ROWS as ENDINGS
from drill.files import ROWS as FILES
from drill.full import ROWS as FULL
from drill.habitat import ROWS as HABITAT
from drill.kills import ROWS as KILLS
from drill.memory import ROWS as MEMORY
from drill.others import ROWS as OTHERS
from drill.pauses import ROWS as PAUSES
from drill.power import ROWS as POWER
from drill.refusals import ROWS as REFUSALS
from drill.relocations import ROWS as RELOCATIONS
from drill.row import Row
from drill.saved import ROWS as SAVED
from drill.sweep import ROWS as SWEEP
from drill.syscalls import ROWS as SYSCALLS
from drill.threads import ROWS as THREADS
from drill.trackers import ROWS as TRACKERS

ROWS: tuple[Row, ...] = (
    # Those that take longest come first: rows run beside each other.
    *PAUSES,
    *KILLS,
    *SWEEP,
    *MEMORY,
    *SYSCALLS,
    *RELOCATIONS,
    *CROSSING,
    *POWER,
    *FILES,
    *FULL,
    *OTHERS,
    *REFUSALS,
    *SAVED,
    *DESCRIPTORS,
    *THREADS,
    *CLOCK,
    *ENDINGS,
    *TRACKERS,
    *CONFIGS,
    *HABITAT,
)
