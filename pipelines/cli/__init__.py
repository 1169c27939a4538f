"""The command line: the studio when no word is given, everything else headless.

One module a family of words; ``session`` runs graphs in an engine, ``arguments`` reads what is typed.
"""

from pipelines.cli.main import main

__all__ = ["main"]
