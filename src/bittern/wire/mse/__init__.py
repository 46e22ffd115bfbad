"""Message stream encryption (MSE, also PE): the stream of a connection looks like chance from its first byte on.

It hides what is spoken, not who speaks, and RC4 keeps no secret from who really wants it.
"""
