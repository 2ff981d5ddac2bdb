"""`python -m authserver.cli`: the same as the `authserver` command."""

from authserver.cli import main

main()
