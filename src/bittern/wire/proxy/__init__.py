"""What is said to proxies: SOCKS 5, SOCKS 4a, and CONNECT of HTTP. No sockets."""
