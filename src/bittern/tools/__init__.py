"""Floor 6: offline tools. Create, verify, edit and show torrents; no network."""
