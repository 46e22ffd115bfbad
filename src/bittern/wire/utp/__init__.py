"""uTP, the transport over UDP that gives way to others (BEP 29): datagrams below, links above, no socket anywhere."""
