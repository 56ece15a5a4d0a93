"""`python -m modwire_tools`: the `modwire` command, also if its script is not on the path."""

from .cli import main

# Processes that `modwire serve --processes` starts import this file too.
if __name__ == "__main__":
    main()
