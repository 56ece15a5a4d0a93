"""The behaviour of every client and every server, as data; nothing here depends on an adapter."""
