"""All rows, in the order in which they run: a tuple for each family, which has a module of its own."""

from drill.kills import ROWS as KILLS
from drill.row import Row

ROWS: tuple[Row, ...] = (*KILLS,)
