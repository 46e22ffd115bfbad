"""Floor 2: bytes to messages and connection state machines, and back; no sockets, no clocks."""
