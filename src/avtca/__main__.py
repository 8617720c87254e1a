"""`python -m avtca`."""

from avtca.cli import main

main()
