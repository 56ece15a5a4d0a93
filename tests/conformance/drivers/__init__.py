"""One file for each adapter: everything that the conformance suite has to know of it."""
