"""One file for each adapter: everything that the conformance suite must know about it."""
