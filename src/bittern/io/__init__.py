"""Floor 4: the real world behind the engine's ports. Sockets, files, threads and clocks live here."""
