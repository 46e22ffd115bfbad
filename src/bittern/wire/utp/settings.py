"""Numbers that steer uTP."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UtpSettings:
    """Settings of all uTP connections of a port."""

    target_seconds: float = 0.1
    """Delay that we add to the path at most (BEP 29: 100 ms)."""
    gain_bytes: int = 3000
    """Growth of the congestion window in a round trip that added no delay."""
    window_bytes: int = 4 << 20
    """Bytes that a connection keeps at most until its stream takes them, or until what is missing before them comes."""
    memory_bytes: int = 64 << 20
    """Bytes that all connections of a port keep so, beyond the end of a turn."""
    most_connections: int = 4096
    """Connections at a time, both directions; callers beyond them are not answered."""
    half_open: int = 1024
    """Callers at a time who have not shown yet that they hear us; the oldest gives way."""
    half_open_per_host: int = 16
    """Of one host."""
    accepts_per_second: float = 250.0
    """Callers who are let in; what the others say is as if it were lost, and they say it again."""
    largest_datagram: int = 60_000
    """Bytes of a datagram, headers of IP and UDP not counted, that may be tried where smaller ones went through."""
