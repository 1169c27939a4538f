"""The order of things: read the command line, set up what is missing, become ``diptych`` or run the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from bootstrap import launch, layout, stamp
from bootstrap.arguments import HELP, Arguments, WrongUse, parse
from bootstrap.layout import Layout


def main(words: Sequence[str]) -> int:
    """Exit code of the set-up (0 done, 1 failed, 2 wrong use, 130 stopped), or that of what it started."""
    try:
        arguments = parse(words)
    except WrongUse as error:
        sys.stderr.write(f"{error}\nSee --help.\n")
        return 2
    if arguments.help:
        sys.stdout.write(HELP)
        return 0
    place = layout.here()
    parts = stamp.read(place.stamp)
    done = ready(place, arguments, parts) and (not arguments.studio or _window_known(parts))
    if done and not arguments.test:
        return launch.diptych(place, arguments.words) if arguments.start else 0
    return _set_up_and_go(place, arguments)


def ready(place: Layout, arguments: Arguments, parts: dict[str, Any]) -> bool:
    """Whether nothing is left to set up for these arguments, by the stamp alone."""
    packages = stamp.packages_part(place)
    index = os.environ.get("DIPTYCH_TORCH_INDEX", "").strip()
    return (
        not arguments.repair
        and not place.writing.exists()
        and parts.get("environment") == stamp.environment_part(place)
        and parts.get("packages") == packages
        and (not arguments.test or parts.get("test") == packages)
        and stamp.torch_ready(place, parts, arguments.device, index)
        and stamp.starter_text_ready(place, parts, os.environ)
    )


def _window_known(parts: dict[str, Any]) -> bool:
    return parts.get("window") == stamp.window_part(os.environ)


def _set_up_and_go(place: Layout, arguments: Arguments) -> int:
    # Imported here: a start with nothing left to do shall not pay for it.
    from bootstrap import checks
    from bootstrap.console import Console, SetupFailed

    console = Console()
    try:
        if not _prepare(place, arguments, console):
            return 1
        if arguments.test and arguments.start:
            return checks.run(place, console, arguments.words[1:])
    except SetupFailed as error:
        console.note(f"\n{error}")
        return 1
    except OSError as error:
        console.note(f"\nThe set-up can't go on.\n{error}\nPut that right, then start again.")
        return 1
    except KeyboardInterrupt:
        console.note("\nStopped. Start again to go on.")
        return 130
    return launch.diptych(place, arguments.words) if arguments.start else 0


def _prepare(place: Layout, arguments: Arguments, console: Any) -> bool:
    """Set up what is missing; False if a window is wanted and can't open."""
    from bootstrap import checks, lock
    from bootstrap.libraries import Installer
    from bootstrap.setup import Setup
    from bootstrap.window import Window

    installer = Installer(console, arguments.yes or os.environ.get("CI", "").lower() in ("1", "true"))
    window = Window(console, installer, checks.variables(os.environ) if arguments.test else os.environ)
    wanted = arguments.studio or arguments.test
    possible = window.check() if wanted else True
    waiting = "Another set-up of this checkout is at work: waiting for it."
    with lock.held(place.lock, lambda: console.note(waiting)):
        if not ready(place, arguments, stamp.read(place.stamp)):
            Setup(place, console, arguments, installer).run()
        if not possible:
            possible = window.check()  # it may have been installed meanwhile
        if arguments.studio and possible and not window.lacking:
            stamp.write(place.stamp, {**stamp.read(place.stamp), "window": stamp.window_part(os.environ)})
    return possible
