"""The set-up itself: every step looks first whether it is needed, and marks what it finished."""

from __future__ import annotations

import os
import shutil
from typing import Any

from bootstrap import device, environment, pip, stamp, starter_text, torch_build
from bootstrap.arguments import Arguments
from bootstrap.console import Console, SetupFailed, size
from bootstrap.layout import Layout
from bootstrap.libraries import Installer

TEXT_LATER = (
    "Diptych works without it; writing text needs it, or a text model of your own.\n"
    "Run packaging/start.py again with a network connection to get it."
)


class Setup:
    """One run of the set-up in a checkout, while its lock is held."""

    def __init__(self, layout: Layout, console: Console, arguments: Arguments, installer: Installer) -> None:
        self.layout = layout
        self.console = console
        self.arguments = arguments
        self.installer = installer
        self.index = os.environ.get("DIPTYCH_TORCH_INDEX", "").strip()
        self.parts: dict[str, Any] = {}

    def run(self) -> None:
        """Bring everything up to date. Raises :class:`SetupFailed`."""
        version = environment.ensure(self.layout, self.console, self.installer, self.arguments.repair)
        self.parts = stamp.read(self.layout.stamp)
        fresh = stamp.environment_part(self.layout)
        if self.parts.get("environment") != fresh:
            self._start_over(fresh)
        self.layout.log.write_text("", "utf-8")
        with pip.cleared_scratch(self.layout):
            runner = self._pip(version)
            self._torch(runner)
            self._packages(runner)
            self._starter_text(runner)

    def _start_over(self, fresh: dict[str, Any]) -> None:
        """Forget what was set up, but not which torch: an environment that was only moved still has it."""
        torch = self.parts.get("torch")
        self.parts = {"torch": torch} if torch else {}
        self._mark("environment", fresh)

    def _mark(self, part: str, value: Any) -> None:
        """Record that a part is done (``None``: that it no longer is)."""
        if value is None:
            self.parts.pop(part, None)
        else:
            self.parts[part] = value
        stamp.write(self.layout.stamp, self.parts)

    def _pip(self, version: tuple[int, int]) -> pip.Pip:
        """pip, brought to a version that reports its progress; an older one does the job too."""
        runner = pip.Pip(self.layout, self.console, version, self.arguments.offline)
        if version < (24, 1) and not self.arguments.offline:
            self.console.step("Updating pip (2 MB)")
            runner.install("--upgrade", "pip")
            runner.version = environment.pip_version(self.layout) or version
        return runner

    def _torch(self, runner: pip.Pip) -> None:
        if stamp.torch_ready(self.layout, self.parts, self.arguments.device, self.index):
            return
        record = self.parts.get("torch")
        before = record if isinstance(record, dict) else {}
        if before.get("index") and not self.index and not self.arguments.device:
            raise SetupFailed(
                "torch has to be updated, and it came from an index of its own.",
                "DIPTYCH_TORCH_INDEX named it then, and is not set now.",
                "Set it again, or choose anew with --device.",
            )
        found = device.detect()
        choice = device.choose(self.arguments.device or before.get("device"), found, self.index)
        kind = torch_build.built_for(self.layout)
        self._mark("packages", None)
        self._mark("test", None)
        if torch_build.must_replace(record, choice, self.arguments.device, kind):
            torch_build.remove(self.layout, self.console, runner, keep_card_packages=choice.device == kind)
            kind = ""
        self._mark("torch", None)
        self._announce_torch(choice, found, new=not kind)
        torch_build.install(self.layout, self.console, runner, choice)
        self._mark("torch", stamp.torch_part(self.layout, choice.device, self.index))

    def _announce_torch(self, choice: device.Choice, found: device.Detected, new: bool) -> None:
        title = found.title if choice.device == found.device else choice.device
        self.console.step(f"Installing torch for {title}")
        if new:
            for note in choice.notes:
                self.console.note(note)
            down, disk = torch_build.expected(choice.device, bool(self.index))
            self.console.note(f"about {size(down)} to download, {size(disk)} on the disk")
            self._space(disk + torch_build.OTHERS[1], down + torch_build.OTHERS[0])

    def _space(self, installed: float, downloaded: float) -> None:
        """Refuse before downloading what can't fit; the downloads lie beside it while it is installed."""
        free = shutil.disk_usage(self.layout.environment).free
        needed = installed + downloaded
        if free < needed:
            raise SetupFailed(
                "There is not enough space on the disk.",
                f"The set-up needs {size(needed)} in {self.layout.environment}, {size(free)} is free.",
                "Free some space, or move the checkout to a larger disk. Then start again.",
            )

    def _packages(self, runner: pip.Pip) -> None:
        wanted = stamp.packages_part(self.layout)
        test = self.arguments.test
        if self.parts.get("packages") == wanted and (not test or self.parts.get("test") == wanted):
            return
        self._mark("packages", None)
        self._mark("test", None)
        self.console.step(f"Installing Diptych and its packages{', and what tests need' if test else ''}")
        if "transformers" not in pip.installed(self.layout):
            down, disk = torch_build.OTHERS
            self.console.note(f"about {size(down)} to download, {size(disk)} on the disk")
        target = f"{self.layout.root}[test]" if test else str(self.layout.root)
        outcome = runner.install("-c", str(torch_build.limits(self.layout, tested=True)), "-e", target)
        if outcome.no_match:
            self.console.note(torch_build.NOT_TESTED)
            outcome = runner.install("-c", str(torch_build.limits(self.layout, tested=False)), "-e", target)
        if not outcome.ok:
            raise torch_build.failed("Diptych's packages", outcome, self.layout)
        self._mark("packages", wanted)
        if test:
            self._mark("test", wanted)

    def _starter_text(self, runner: pip.Pip) -> None:
        if stamp.starter_text_ready(self.layout, self.parts, os.environ):
            return
        pin = starter_text.Pin.read(self.layout.starter_text)
        folder = starter_text.folder_of(starter_text.data_folder(self.layout), pin)
        try:
            starter_text.ensure(self.layout, self.console, runner, pin, folder)
        except (SetupFailed, OSError, starter_text.Unverified) as error:
            if self.arguments.test:
                raise SetupFailed("The tests need the starter text model.", str(error)) from error
            self.console.note(f"{error}\n{TEXT_LATER}")
            return
        part = {
            "pin": stamp.digest(self.layout.starter_text),
            "folder": str(folder),
            "data": stamp.data_part(os.environ),
        }
        self._mark("starter_text", part)
