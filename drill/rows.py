"""All rows, in the order in which they run: a tuple for each family, which has a module of its own."""

from drill.descriptors import ROWS as DESCRIPTORS
from drill.endings import ROWS as ENDINGS
from drill.files import ROWS as FILES
from drill.full import ROWS as FULL
from drill.kills import ROWS as KILLS
from drill.memory import ROWS as MEMORY
from drill.pauses import ROWS as PAUSES
from drill.power import ROWS as POWER
from drill.refusals import ROWS as REFUSALS
from drill.row import Row
from drill.saved import ROWS as SAVED
from drill.sweep import ROWS as SWEEP
from drill.syscalls import ROWS as SYSCALLS

ROWS: tuple[Row, ...] = (
    *KILLS,
    *SYSCALLS,
    *POWER,
    *FILES,
    *FULL,
    *REFUSALS,
    *SAVED,
    *DESCRIPTORS,
    *ENDINGS,
    *MEMORY,
    *PAUSES,
    *SWEEP,
)
