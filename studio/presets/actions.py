"""What the commands do with presets. Files are read and written in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QPoint, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from studio.actions.shell import Shell
from studio.background import in_background
from studio.parts import Parts
from studio.presets.apply import applied
from studio.presets.capture import captured
from studio.presets.preset import Preset
from studio.presets.store import EXPORTED, Kept, PresetStore, default_folder
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import below

IN_MENU: Final = 30
"""Presets that the menu shows; the manager has all."""


class PresetActions(QObject):
    """The :class:`studio.commands.command.PresetCommands` of a window. ``changed``: files were read anew."""

    changed = Signal()

    def __init__(self, parts: Parts, shell: Shell, parent: QObject, store: PresetStore | None = None) -> None:
        super().__init__(parent)
        self._parts, self._shell = parts, shell
        self.store = store or PresetStore(default_folder())
        self.kept: tuple[Kept, ...] = ()
        self._menu: QMenu | None = None
        shell.create_page.form.presets_requested.connect(self._open_below)

    def can_use(self) -> bool:
        """Whether the document has a model that a preset could set."""
        return self._parts.binding.has("model") and self._parts.document.read_only is None

    def read(self, then: Callable[[], object] | None = None) -> None:
        """Read the files anew, and go on when that is done."""

        def done(found: list[Kept]) -> None:
            self.kept = tuple(found)
            self.changed.emit()
            if then is not None:
                then()

        in_background(self, self.store.all, done, self._shell.show_error)

    def _work(self, work: Callable[[], Path | None], words: str) -> None:
        """Change files, read them anew, and say so."""

        def done(_: Path | None) -> None:
            self._shell.status.note(words)
            self.read()

        in_background(self, work, done, self._shell.show_error)

    # --- the menu --------------------------------------------------------------------------------------

    @Slot()
    def open_menu(self) -> None:
        """The presets to choose from, at the button of Create."""
        self._shell.show_workspace("create")
        self._open_below(self._shell.create_page.form.presets_button())

    @Slot(object)
    def _open_below(self, button: QWidget | None) -> None:
        self.read(lambda: self._popup(below(button) if button is not None else QPoint()))

    def _popup(self, at: QPoint) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = self.menu()
        self._menu.popup(at)

    def menu(self) -> QMenu:
        """A menu of what is kept now."""
        menu = QMenu(self._shell.window())
        menu.setToolTipsVisible(True)
        for kept in self.kept[:IN_MENU]:
            action = menu.addAction(kept.name.replace("&", "&&"))
            if (preset := kept.preset) is not None:
                action.setToolTip(summary(preset))
                action.triggered.connect(lambda _=False, preset=preset: self.use(preset))
            elif kept.error is not None:
                action.setEnabled(False)
                action.setToolTip(kept.error.text(tr))
        if not self.kept:
            menu.addAction(tr("No presets yet")).setEnabled(False)
        menu.addSeparator()
        save = menu.addAction(current_theme().icon("save"), tr("Save as a preset…"))
        save.setEnabled(self.can_use())
        save.triggered.connect(self.ask_to_save)
        menu.addAction(current_theme().icon("list"), tr("Presets…")).triggered.connect(self.manage)
        return menu

    # --- one preset ------------------------------------------------------------------------------------

    @Slot()
    def ask_to_save(self) -> None:
        """Ask for a name, and keep what the form shows under it."""
        self.read(self._open_save)

    def _open_save(self) -> None:
        from studio.presets.dialogs import SavePreset

        names = [kept.name for kept in self.kept if kept.preset is not None]
        binding = self._parts.binding
        info = self._parts.models.find(str(binding.value("model") or ""))
        dialog = SavePreset(info.title if info is not None else tr("Preset"), names, self._shell.window())
        dialog.name_chosen.connect(self.save)
        dialog.open()

    @Slot(str, bool)
    def save(self, name: str, prompts: bool = False) -> None:
        """Keep what the form shows; ``prompts``: the texts too."""
        preset, files = captured(self._parts.binding, self._parts.models, name, prompts=prompts)
        self._work(lambda: self.store.save(preset, files), tr("Saved the preset {name}", name=name))

    @Slot(object)
    def use(self, preset: Preset) -> None:
        """Let the document be as a preset says, as one undo step; what is missing is told."""
        if not self.can_use():
            return
        store = self.store

        def pictures() -> dict[str, str]:
            return {name: store.picture(name) for name in preset.pictures_used()}

        in_background(self, pictures, lambda found: self._use(preset, found), self._shell.show_error)

    def _use(self, preset: Preset, pictures: dict[str, str]) -> None:
        if not self.can_use():
            return
        made = applied(preset, self._parts.binding, self._parts.models, lambda name: pictures.get(name, ""))
        self._parts.binding.replace(made.graph, tr("Use the preset {name}", name=preset.name))
        self._shell.show_workspace("create")
        if made.missing:
            heading = tr("The preset {name} is set, except for what is missing.", name=preset.name)
            self._shell.show_message(heading, "\n".join(made.missing))
        else:
            self._shell.status.note(tr("The preset {name} is set", name=preset.name))

    # --- all of them -----------------------------------------------------------------------------------

    @Slot()
    def manage(self) -> None:
        """Use, rename, delete, export and import presets."""
        from studio.presets.dialogs import PresetManager

        dialog = PresetManager(self._shell.window())
        dialog.use_requested.connect(self.use)
        dialog.rename_requested.connect(self.rename)
        dialog.delete_requested.connect(self.delete)
        dialog.export_requested.connect(self.ask_to_export)
        dialog.import_requested.connect(self.ask_to_import)
        self.changed.connect(dialog.refresh)
        dialog.source = lambda: self.kept
        dialog.may_use = self.can_use
        self.read()
        dialog.open()

    @Slot(object, str)
    def rename(self, kept: Kept, name: str) -> None:
        """Call it otherwise; a name that another has is refused."""
        taken = {other.name.casefold() for other in self.kept if other.path != kept.path}
        if not name.strip() or name.strip().casefold() in taken:
            self._shell.status.note(tr("Another preset has this name."))
            self.changed.emit()
            return
        self._work(lambda: self.store.rename(kept.path, name), tr("Renamed to {name}", name=name.strip()))

    @Slot(object)
    def delete(self, kept: Kept) -> None:
        """Move it to the bin, from where it can come back."""

        def work() -> None:
            self.store.delete(kept.path)

        self._work(work, tr("The preset {name} is in the bin", name=kept.name))

    @Slot(object)
    def ask_to_export(self, kept: Kept) -> None:
        """Ask where to write it with its pictures."""
        usual = str(Path.home() / f"{kept.path.stem}{EXPORTED}")
        kinds = f"{tr('Presets')} (*.json)"
        goal = QFileDialog.getSaveFileName(self._shell.window(), tr("Export the preset"), usual, kinds)[0]
        if goal:
            words = tr("Exported {name}", name=kept.name)
            self._work(lambda: self.store.export(kept.path, Path(goal)), words)

    @Slot()
    def ask_to_import(self) -> None:
        """Ask for files of presets to take in."""
        kinds = f"{tr('Presets')} (*.json)"
        found = QFileDialog.getOpenFileNames(self._shell.window(), tr("Import presets"), "", kinds)[0]
        for file in found:
            self.take_in(Path(file))

    def take_in(self, file: Path) -> None:
        """Take in a preset of somebody else's."""
        self._work(lambda: self.store.take_in(file), tr("Imported {name}", name=file.name))


def summary(preset: Preset) -> str:
    """What a preset holds, in a line."""
    parts = [preset.model.title or preset.model.id] if preset.model is not None else []
    named = [name.title or name.id for change in preset.changes for name in change.models.values()]
    parts += named[:4]
    if preset.pictures:
        parts.append(tr("{count} pictures", count=len(preset.pictures)))
    if (steps := preset.values.get("steps")) is not None:
        parts.append(tr("{steps} steps", steps=steps))
    return " · ".join(parts)
