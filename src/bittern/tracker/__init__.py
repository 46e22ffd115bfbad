"""A tracker without sockets and clocks: who is in which swarm, what is answered to whom."""
