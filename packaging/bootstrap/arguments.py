"""The command line: options before the first word are the set-up's own, the rest belongs to ``diptych``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEVICES = ("cuda", "rocm", "cpu", "mps")

HELP = """\
Set up Diptych in this checkout and start it.

  python3 packaging/start.py [options] [word ...]

Without a word the studio opens. Everything from the first word on is passed to diptych:
  python3 packaging/start.py render "a red apple" -o apple.png
The word "test" sets up what the tests need and runs them; what follows is passed to pytest
(paths start at the checkout):
  python3 packaging/start.py test

Options:
  --device cuda|rocm|cpu|mps  which build of torch to install (default: what the card needs)
  --yes                       install missing system libraries too, without asking
  --offline                   use no network: only what pip finds on this computer
  --repair                    make the environment anew (your models and pictures stay)
  --no-start                  set up, but start nothing
  -h, --help                  show this text

Environment:
  DIPTYCH_TORCH_INDEX         package index for torch and torchvision. The word {build} in it is
                              replaced by the build that fits, such as cpu, cu130 or rocm7.1.
                              Without it, pip's own configuration decides.
  DIPTYCH_HOME                one folder for settings, models and pictures
"""


class WrongUse(Exception):
    """The command line can't be understood; its text says why."""


@dataclass(frozen=True)
class Arguments:
    """What the command line asks for. ``words`` is everything from the first word on."""

    device: str | None = None
    yes: bool = False
    offline: bool = False
    repair: bool = False
    start: bool = True
    help: bool = False
    words: tuple[str, ...] = ()

    @property
    def test(self) -> bool:
        """Whether the tests are to be run."""
        return self.words[:1] == ("test",)

    @property
    def studio(self) -> bool:
        """Whether a window will open."""
        return self.start and self.words[:1] in ((), ("studio",))


def parse(arguments: Sequence[str]) -> Arguments:
    """Split the command line. ``--`` ends the set-up's own options. Raises :class:`WrongUse`."""
    flags = {"--yes": "yes", "--offline": "offline", "--repair": "repair", "--help": "help", "-h": "help"}
    found: dict[str, bool] = {}
    device: str | None = None
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option, given, value = rest.pop(0).partition("=")
        if option == "--":
            break
        if option == "--device":
            device = _device(value if given else rest.pop(0) if rest else "")
        elif option in flags and not given:
            found[flags[option]] = True
        elif option == "--no-start" and not given:
            found["start"] = False
        else:
            raise WrongUse(f"{option} is not an option of start.py. Options for diptych come after its word.")
    return Arguments(device=device, words=tuple(rest), **found)


def _device(name: str) -> str:
    if name not in DEVICES:
        raise WrongUse(f"--device takes one of {', '.join(DEVICES)}, not “{name}”.")
    return name
