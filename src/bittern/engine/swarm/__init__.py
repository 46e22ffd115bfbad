"""The others: known addresses, handshaken peers, what is said first."""
