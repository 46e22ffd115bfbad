"""Floor 5: the asyncio service that is the public library: torrents, their files on disk, saved state, events."""
