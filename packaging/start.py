"""Set up Diptych in this checkout and start it: ``python3 packaging/start.py [options] [word ...]``.

The work is done by the folder ``bootstrap`` beside this file. This file itself keeps to what any Python 3 can
read, so that an old one says what is missing instead of failing on a line it can't parse.
"""

import os
import sys

OLDEST = (3, 11)
TRIED = ("python3.14", "python3.13", "python3.12", "python3.11")


def newer_python() -> str:
    """The path of a Python that is new enough, or nothing."""
    import shutil
    import subprocess

    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    for name in TRIED:
        path = shutil.which(name)
        # A version manager's stand-in can be found and still not run: ask it.
        if path and subprocess.call([path, "-c", test], stderr=subprocess.DEVNULL) == 0:
            return path
    return ""


def main() -> int:
    """Hand over to the set-up code, or to a newer Python, or say that one is needed."""
    if sys.version_info[:2] < OLDEST:
        newer = newer_python()
        if newer:
            import subprocess

            return subprocess.call([newer, os.path.abspath(__file__), *sys.argv[1:]])  # noqa: PTH100
        sys.stderr.write(
            "Diptych needs Python 3.11 or newer; this is Python "
            + ".".join(str(part) for part in sys.version_info[:3])
            + ".\nInstall a newer one and start with it, for example: python3.12 packaging/start.py\n"
        )
        return 2
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from bootstrap.main import main as start

    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
