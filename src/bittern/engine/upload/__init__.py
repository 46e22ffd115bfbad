"""Giving pieces: whom to serve, what to admit, what to send next."""
