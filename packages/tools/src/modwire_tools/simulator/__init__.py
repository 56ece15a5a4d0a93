"""Simulated devices: read from files, alive, faulty on demand, and watched through a `View`."""
