"""The tracker on the network: datagrams and connections in, what `bittern.tracker` answers out."""
