"""What stands where no model is: which folders are searched, where others were looked for, and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines import paths
from studio.background import in_background
from studio.models.words import program_text
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.layouts import empty


@dataclass(frozen=True, slots=True)
class Searched:
    """A folder: whether it is there, whose it is, and whether it is searched (or only offered)."""

    path: str
    program: str = ""
    is_there: bool = True
    searched: bool = True
    own: bool = False
    """Whether the user added it, and may take it from the list."""


def look(folders: Sequence[str]) -> list[Searched]:
    """Where models are looked for, and other programs' folders that could be added. For worker threads."""
    from pipelines.models.catalogue.layouts import hub_caches, program_of, suggestions, usual_places

    found = [Searched(str(paths.models_dir()), "Diptych", paths.models_dir().is_dir())]
    found += [
        Searched(folder, program_of(Path(folder)), Path(folder).is_dir(), own=True) for folder in folders
    ]
    if not paths.is_portable():
        there = {str(place.path): place.program for place in usual_places()}
        found += [Searched(path, program) for path, program in there.items()]
        caches = (str(path) for path in hub_caches(os.environ, Path.home()))
        found += [Searched(path, "hugging-face", is_there=False) for path in caches if path not in there]
    known = {item.path for item in found}
    found += [
        Searched(str(place.path), place.program, searched=False)
        for place in suggestions()
        if str(place.path) not in known
    ]
    return found


class FoldersCard(QFrame):
    """``add_requested`` asks for a folder; ``folder_chosen`` carries one to add, ``folder_dropped`` one to
    take from the list."""

    add_requested = Signal()
    folder_chosen = Signal(str)
    folder_dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.title = QLabel(tr("Bring your own models"))
        self.title.setProperty("role", "heading")
        self.words = QLabel(
            tr(
                "The starter models are here. Add a folder with yours: files are only read, and what each "
                "one is, Diptych finds out by itself. For example, the models folder of ComfyUI or of "
                "Stable Diffusion WebUI."
            )
        )
        self.words.setProperty("role", "body2")
        self.words.setWordWrap(True)
        self.button = QPushButton(tr("Add a folder of models…"))
        self.button.clicked.connect(self.add_requested)
        self.places = QVBoxLayout()
        self.places.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addWidget(self.title)
        column.addWidget(self.words)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(self.places)

    def look(self, folders: Sequence[str]) -> None:
        """Find out anew where models are looked for."""
        wanted = tuple(folders)
        in_background(self, lambda: look(wanted), self._show)

    @Slot(object)
    def _show(self, found: list[Searched]) -> None:
        empty(self.places)
        heading = QLabel(tr("Looked for in"))
        heading.setProperty("role", "label")
        self.places.addWidget(heading)
        for item in found:
            self.places.addWidget(self._row(item))

    def _row(self, item: Searched) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        path = ElidedLabel(item.path)
        path.setToolTip(item.path)
        path.setEnabled(item.is_there)
        whose = program_text(item.program)
        state = whose if item.is_there else tr("not there")
        words = QLabel(state)
        words.setProperty("role", "hint")
        line.addWidget(path, 1)
        line.addWidget(words)
        if not item.searched:
            line.addWidget(self._button(tr("Add it"), item.path, self.folder_chosen.emit))
        elif item.own:
            line.addWidget(self._button(tr("Remove from the list"), item.path, self.folder_dropped.emit))
        return row

    def _button(self, text: str, path: str, then: Callable[[str], object]) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("role", "link")
        button.setAccessibleName(f"{text}: {path}")
        button.clicked.connect(lambda: then(path))
        return button
