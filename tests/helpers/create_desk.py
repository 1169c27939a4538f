"""Create in a real window, with a bridge that plays the engine, and a hand to use it."""

from __future__ import annotations

from dataclasses import dataclass

from studio.app import StudioApp
from studio.create.form import CreateForm
from studio.parts import Parts
from studio.widgets.field_row import FieldRow
from studio.widgets.image_view import ImageView
from studio.window.main_window import MainWindow
from tests.helpers.studio_fakes import FakeBridge


@dataclass
class Desk:
    """A window on a template, and the engine behind it."""

    app: StudioApp
    bridge: FakeBridge

    @property
    def window(self) -> MainWindow:
        return self.app.window

    @property
    def parts(self) -> Parts:
        return self.app.parts

    @property
    def form(self) -> CreateForm:
        return self.window.create_page.form

    @property
    def view(self) -> ImageView:
        return self.window.create_page.result.view

    def row(self, name: str) -> FieldRow:
        return self.form.rows[name]

    def value(self, name: str) -> object:
        return self.parts.binding.value(name)

    def generate(self) -> str:
        self.window.commands.run("run.generate")
        return self.bridge.submitted[-1][0]

    def draw(self, *seeds: int) -> str:
        """A whole run that goes well."""
        job = self.generate()
        self.bridge.tell_started(job)
        self.bridge.tell_saved(job, seeds or (7,))
        self.bridge.tell_finished(job)
        return job
