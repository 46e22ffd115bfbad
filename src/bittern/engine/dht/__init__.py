"""A node of the distributed hash table (BEP 5 and its extensions), without sockets and clocks."""
