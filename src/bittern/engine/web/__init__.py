"""Web seeds: servers that give long runs of pieces over HTTP (BEP 19)."""
