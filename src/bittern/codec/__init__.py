"""Floor 1: data formats. Bytes in, values out, and back; no I/O."""
