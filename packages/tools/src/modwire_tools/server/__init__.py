"""Listening at endpoints, and stores for the values, for `modwire serve` and `gateway`."""
