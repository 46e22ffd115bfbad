"""The fault drill: what may happen to a download, done to the real program on purpose. `python -m drill --list`."""
