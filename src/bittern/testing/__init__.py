"""Floor 5: the public test kit, for this project's own tests and for those of programs built on it.

`Playbook` scripts the peers of one engine, `WirePair` joins two streams cut at any byte; whole swarms are in
`bittern.sim`.
"""

from .actor import Actor
from .playbook import Playbook
from .wire_pair import WirePair, bytewise, feed, split_at, whole

__all__ = ["Actor", "Playbook", "WirePair", "bytewise", "feed", "split_at", "whole"]
