"""Where addresses of peers come from; all end in `peerbook.add`."""
