"""Floor 4: a world without sockets and clocks, in which whole swarms run from one seed."""
