"""Numbers, types, values and items as users write them, for commands, windows and files."""
