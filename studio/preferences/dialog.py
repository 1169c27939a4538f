"""Settings: look, where pictures go and what paints in them, where models are and come from, which device
draws. Each takes effect at once or says when."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.preferences.network_settings import NetworkSettings
from studio.preferences.result_settings import ResultSettings
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.dialog import Dialog
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField
from studio.widgets.segmented import Segmented

_DEVICES = (
    ("auto", "Automatic"),
    ("cuda", "NVIDIA or AMD graphics card"),
    ("mps", "Apple graphics"),
    ("xpu", "Intel graphics"),
    ("cpu", "Processor only"),
)


def _programs_folder() -> str:
    """Where programs are, most likely."""
    if sys.platform == "linux":
        return "/usr/bin"
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.ApplicationsLocation)


class Preferences(Dialog):
    """Changes are written as they are made; there is nothing to confirm."""

    def __init__(
        self, settings: SettingsStore, parent: QWidget | None = None, bridge: Any | None = None
    ) -> None:
        super().__init__(tr("Settings"), parent)
        self._settings = settings
        self.setMinimumWidth(520)
        self._add_look()
        self._add_folders()
        self.network = NetworkSettings(settings)
        self.content.addWidget(self.network)
        self._add_program()
        self._add_device()
        self.results = ResultSettings(settings, bridge) if bridge is not None else None
        if self.results is not None:
            self.content.addWidget(self.results)
            self.finished.connect(self.results.apply)
        hint = QLabel(tr("Folder for pictures, device and what is kept free take effect at the next start."))
        hint.setProperty("role", "hint")
        self.content.addWidget(hint)
        self.add_close()

    def _add_look(self) -> None:
        values = self._settings.values
        self.theme = Segmented()
        for value, title in (("system", tr("As the system")), ("dark", tr("Dark")), ("light", tr("Light"))):
            self.theme.add(value, title)
        self.theme.set_value(values.theme)
        self.theme.value_changed.connect(lambda value: self._settings.change(theme=value))
        self.scale = NumberField(round(values.text_scale * 100), minimum=80, maximum=200, step=10, unit="%")
        self.scale.value_changed.connect(lambda value: self._settings.change(text_scale=value / 100))
        self.contrast = QCheckBox(tr("High contrast"))
        self.contrast.setChecked(values.high_contrast)
        self.contrast.clicked.connect(lambda on: self._settings.change(high_contrast=on))
        self.motion = QCheckBox(tr("Reduced motion"))
        self.motion.setChecked(values.reduced_motion)
        self.motion.clicked.connect(lambda on: self._settings.change(reduced_motion=on))
        line = QHBoxLayout()
        line.setSpacing(16)
        line.addWidget(FieldRow(tr("Theme"), self.theme, tr("The colours of the window.")), 3)
        line.addWidget(FieldRow(tr("Size of text"), self.scale, tr("Text and the fields that hold it.")), 1)
        boxes = QHBoxLayout()
        boxes.setSpacing(24)
        boxes.addWidget(self.contrast)
        boxes.addWidget(self.motion)
        boxes.addStretch(1)
        self.content.addLayout(line)
        self.content.addLayout(boxes)

    def _add_folders(self) -> None:
        self.output = QPushButton(str(self._settings.values.output_dir))
        self.output.setStyleSheet("text-align: left;")
        self.output.clicked.connect(self._choose_output)
        self.content.addWidget(
            FieldRow(tr("Pictures are saved in"), self.output, tr("Every picture is saved there by itself."))
        )
        self.folders = QListWidget()
        self.folders.addItems(list(self._settings.values.model_folders))
        self.folders.setProperty("role", "boxed")
        self.folders.setFixedHeight(84)
        self.folders.setAccessibleName(tr("Folders with models"))
        add, remove = QPushButton(tr("Add a folder…")), QPushButton(tr("Remove from the list"))
        add.clicked.connect(self._add_folder)
        remove.clicked.connect(self._remove_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(add)
        buttons.addWidget(remove)
        buttons.addStretch(1)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.folders)
        column.addLayout(buttons)
        sentence = tr("Folders of other programs may be added too; their files are only read.")
        self.content.addWidget(FieldRow(tr("Models are also looked for in"), box, sentence))

    def _add_program(self) -> None:
        self.program = QPushButton()
        self.program.setStyleSheet("text-align: left;")
        self.program.clicked.connect(self._choose_program)
        self.program_reset = QPushButton(tr("As the system"))
        self.program_reset.setToolTip(tr("Open pictures with whatever the system opens them with."))
        self.program_reset.clicked.connect(self._forget_program)
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.program, 1)
        row.addWidget(self.program_reset)
        sentence = tr("Your painting program. Each save there comes back as a layer of the canvas.")
        self.content.addWidget(FieldRow(tr("“Edit in…” opens pictures with"), box, sentence))
        self._show_program()

    def _show_program(self) -> None:
        program = self._settings.values.painting_program
        self.program.setText(Path(program).name if program else tr("The system's program for pictures"))
        self.program.setToolTip(program)
        self.program_reset.setEnabled(bool(program))

    def _add_device(self) -> None:
        self.device = ChoiceField([(value, tr(title)) for value, title in _DEVICES])
        self.device.set_value(self._settings.values.device)
        self.device.value_changed.connect(lambda value: self._settings.change(device=value))
        self.reserve = NumberField(
            self._settings.values.reserve_gb, whole=False, minimum=0, maximum=1024, step=0.5, unit="GB"
        )
        self.reserve.value_changed.connect(lambda value: self._settings.change(reserve_gb=value))
        sentence = tr("Memory of the device that models leave alone; more of them then stream.")
        line = QHBoxLayout()
        line.setSpacing(16)
        line.addWidget(
            FieldRow(tr("Drawn by"), self.device, tr("Automatic takes the fastest device found.")), 1
        )
        line.addWidget(FieldRow(tr("Keep free for other programs"), self.reserve, sentence), 1)
        self.content.addLayout(line)

    @Slot()
    def _choose_output(self) -> None:
        here = str(self._settings.values.output_dir)
        folder = QFileDialog.getExistingDirectory(self, tr("Pictures are saved in"), here)
        if folder:
            self._settings.change(output_folder=folder)
            self.output.setText(folder)

    @Slot()
    def _choose_program(self) -> None:
        program = self._settings.values.painting_program
        here = str(Path(program).parent) if program else _programs_folder()
        kinds = f"{tr('Programs')} (*.exe)" if sys.platform == "win32" else ""
        chosen = QFileDialog.getOpenFileName(self, tr("Choose your painting program"), here, kinds)[0]
        if chosen:
            self._settings.change(painting_program=chosen)
            self._show_program()

    @Slot()
    def _forget_program(self) -> None:
        self._settings.change(painting_program="")
        self._show_program()
        self.program.setFocus()

    @Slot()
    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("A folder with models"))
        known = self._settings.values.model_folders
        if folder and folder not in known:
            self._settings.change(model_folders=(*known, folder))
            self.folders.addItem(folder)

    @Slot()
    def _remove_folder(self) -> None:
        row = self.folders.currentRow()
        if row >= 0:
            gone = self.folders.takeItem(row).text()
            kept = tuple(item for item in self._settings.values.model_folders if item != gone)
            self._settings.change(model_folders=kept)
