"""The protocol step by step, with blocking sockets and nothing hidden: for learning and for looking at peers.

The plain profile: one TCP connection at a time, no encryption, no DHT and no fast extension; interest is
shown only when pieces are wanted. All that is known of the protocols comes from `wire` and `codec`.
"""
