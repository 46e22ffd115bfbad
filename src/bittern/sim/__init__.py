"""Floor 4: a world without sockets and clocks, in which whole swarms run from one seed.

```python
from random import Random
from bittern.sim import Swarm

report = Swarm(Random, seed=1, seeds=1, leechers=5, size=1 << 20).run(seconds=600.0)
report.check()
print(report)
```
"""

from .content import Content, make_content, make_content_files, make_content_v2
from .disk import SimDisk
from .faults import Chaos
from .host import Cut, Host
from .http import Reply, SimHttp, Web
from .link import SimLink
from .nat import Nat, NatKind
from .network import Network
from .paths import Paths, Trouble
from .process import SimProcess
from .report import PeerReport, Report
from .rival import Rival
from .swarm import Lines, Swarm
from .tracker import Mood, SimTracker
from .world import EndlessInstantError, SimChance, World

__all__ = [
    "Chaos",
    "Content",
    "Cut",
    "EndlessInstantError",
    "Host",
    "Lines",
    "Mood",
    "Nat",
    "NatKind",
    "Network",
    "Paths",
    "PeerReport",
    "Reply",
    "Report",
    "Rival",
    "SimChance",
    "SimDisk",
    "SimHttp",
    "SimLink",
    "SimProcess",
    "SimTracker",
    "Swarm",
    "Trouble",
    "Web",
    "World",
    "make_content",
    "make_content_files",
    "make_content_v2",
]
