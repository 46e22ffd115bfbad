"""How routers are asked to let others in: decisions without sockets."""
