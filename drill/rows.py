"""All rows, in the order in which they run: a tuple for each family, which has a module of its own."""

from drill.descriptors import ROWS as DESCRIPTORS
from drill.endings import ROWS as ENDINGS
from drill.kills import ROWS as KILLS
from drill.memory import ROWS as MEMORY
from drill.pauses import ROWS as PAUSES
from drill.row import Row
from drill.sweep import ROWS as SWEEP

ROWS: tuple[Row, ...] = (
    *KILLS,
    *DESCRIPTORS,
    *ENDINGS,
    *MEMORY,
    *PAUSES,
    *SWEEP,
)
