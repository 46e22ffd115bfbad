"""Message stream encryption (MSE, also PE): the stream of a connection looks like chance from its first byte on.

Hides what is spoken, not who speaks: neither side proves who it is, and RC4 keeps no secrets from who really wants them.
"""
