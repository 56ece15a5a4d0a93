"""Numbers, types, values and items as people write them, for commands, windows and files."""
