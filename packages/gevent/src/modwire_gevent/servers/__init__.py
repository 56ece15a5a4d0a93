"""The gevent servers: a greenlet for each connection, line or socket."""
