"""`python -m modwire_tools`: the `modwire` command where its script is not on the path."""

from .cli import main

main()
