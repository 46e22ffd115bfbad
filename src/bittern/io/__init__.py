"""Floor 4: the real world. Sockets, files, clocks and threads live here and nowhere below."""
