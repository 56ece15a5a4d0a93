"""Fuzzing of modwire: `python -m fuzz` feeds hostile bytes to everything that reads bytes.

See README.md beside this file. `targets` has the list of targets.
"""
